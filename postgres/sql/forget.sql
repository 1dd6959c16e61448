-- Says of entries that nothing of them is retained any more.
-- $1 keys, sorted
UPDATE entries AS e SET retained = 0, oldest = NULL
FROM unnest($1::bytea[]) AS i (key)
WHERE e.key = i.key AND e.retained > 0
