-- Values of entries.
-- $1 keys
SELECT k.n, e.value
FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, n)
JOIN entries AS e ON e.key = k.key
