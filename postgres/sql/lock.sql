-- Locks every entry that a group of several kinds touches, in the order of the
-- keys, before anything else, so that two such groups never wait for each
-- other.
-- $1 keys, sorted; $2 the versions that they must have, null for any; $3 how
-- many have a version
SELECT 1 / (CASE WHEN count(version) = $3::bigint THEN 1 ELSE 0 END), now()
FROM (
  SELECT c.version
  FROM unnest($1::bytea[], $2::bytea[]) AS c (key, version)
  JOIN entries AS e ON e.key = c.key AND (c.version IS NULL OR e.version = c.version)
  ORDER BY c.key
  FOR UPDATE OF e
) AS locked
