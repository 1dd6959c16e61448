-- Holds entries that are only checked, in the order of the keys: nobody else
-- can move them before this transaction has ended.
-- $1 keys, sorted; $2 their versions; $3 how many there are
SELECT 1 / (CASE WHEN count(*) = $3::bigint THEN 1 ELSE 0 END), now()
FROM (
  SELECT 1
  FROM unnest($1::bytea[], $2::bytea[]) AS c (key, version)
  JOIN entries AS e ON e.key = c.key AND e.version = c.version
  ORDER BY c.key
  FOR SHARE OF e
) AS held
