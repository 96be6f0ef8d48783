-- So many more rows like the newest one, which a worker has left, of jobs that came evenly since the week began.
INSERT INTO ledger.entries
    (handler, message_id, job_id, causation_id, client_id, type, status, attempts, fingerprint, result, problem,
     emitted, received_at, handled_at)
SELECT
    model.handler, came.id, came.id, came.id, model.client_id, model.type, model.status, model.attempts,
    model.fingerprint, model.result, model.problem, model.emitted, came.moment, came.moment
FROM (SELECT * FROM ledger.entries ORDER BY message_id DESC LIMIT 1) AS model
CROSS JOIN (
    SELECT
        moment,
        -- The layout of a UUIDv7 (RFC 9562 §5.7): milliseconds, version, chance, variant, chance.
        (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || substr(chance, 1, 3)
            || '8' || substr(chance, 4, 15))::uuid AS id
    FROM (
        SELECT
            week + (now() - week) * (number::float8 / $3::float8) AS moment,
            md5(number::text) AS chance
        FROM generate_series($1::bigint, $2::bigint - 1) AS number
        CROSS JOIN (SELECT date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS week) AS began
    ) AS moments
) AS came
