-- Deletes entries that are at the versions that are expected. Their keys are
-- given back by vacate.sql.
-- $1 keys, sorted; $2 their versions; $3 how many there are
WITH deleted AS (
  DELETE FROM entries AS e
  USING unnest($1::bytea[], $2::bytea[]) AS i (key, version)
  WHERE e.key = i.key AND e.version = i.version
  RETURNING 1 AS one
)
SELECT 1 / (CASE WHEN count(one) = $3::bigint THEN 1 ELSE 0 END), now() FROM deleted
