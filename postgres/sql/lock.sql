-- Locks every entry that a group of several kinds touches, in the order of the
-- keys, before anything else, so that two such groups never wait for each
-- other. The versions are bounds, so that they are found by the primary key.
-- $1 keys, sorted; $2 and $3 the first and the last version that they may have,
-- the same where they must have one; $4 how many must have one
SELECT 1 / (CASE WHEN count(CASE WHEN low = high THEN 1 END) = $4::bigint THEN 1 ELSE 0 END), now()
FROM (
  SELECT c.low, c.high
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS c (key, low, high)
  JOIN entries AS e ON e.key = c.key AND e.version >= c.low AND e.version <= c.high
  ORDER BY c.key
  FOR UPDATE OF e
) AS locked
