-- Whether a confirmed commit survives a crash of the server.
SELECT
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('fsync')              AS fsync,
    current_setting('full_page_writes')   AS full_page_writes
