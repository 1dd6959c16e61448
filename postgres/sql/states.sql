-- Where entries stand.
-- $1 keys
SELECT k.n, e.version, e.recent
FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, n)
JOIN entries AS e ON e.key = k.key
