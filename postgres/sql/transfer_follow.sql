-- Fails unless an entry is at a version and has so many retained ones, and none
-- of those that will be added.
-- $1 key, $2 version, $3 how many, $4 versions that will be added
SELECT 1 / (CASE
  WHEN (SELECT count(*) FROM history AS h WHERE h.key = $1::bytea) = $3::bigint
    AND NOT EXISTS (SELECT 1 FROM history AS h WHERE h.key = $1::bytea AND h.version = ANY ($4::bytea[]))
    AND EXISTS (SELECT 1 FROM entries AS e WHERE e.key = $1::bytea AND e.version = $2::bytea)
  THEN 1 ELSE 0 END), now()
