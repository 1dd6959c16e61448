-- Entries and the time.
-- $1 keys
SELECT k.n, clock_timestamp(), e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, n)
LEFT JOIN entries AS e ON e.key = k.key
