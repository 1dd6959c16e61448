-- Locks entries whose history is thinned out, in the order of the keys.
-- $1 keys, sorted
SELECT count(*)
FROM (
  SELECT 1
  FROM unnest($1::bytea[]) AS i (key)
  JOIN entries AS e ON e.key = i.key
  ORDER BY i.key
  FOR UPDATE OF e
) AS locked
