-- Deletes versions whose time is over.
-- $1 keys, sorted; $2 up to when they were replaced
DELETE FROM history AS h
USING unnest($1::bytea[], $2::timestamptz[]) AS i (key, until)
WHERE h.key = i.key AND NOT h.kept AND h.replaced <= i.until
