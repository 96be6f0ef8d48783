-- Every row the batch declared, locked in key order, so that two workers can't wait for each other.
SELECT {{subject}}, status, version
FROM {{domain}}.{{nouns}}
WHERE {{subject}} = ANY ($1::uuid[])
ORDER BY {{subject}}
FOR UPDATE
