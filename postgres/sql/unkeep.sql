-- Deletes retained versions that are about to be written once more.
-- $1 keys, sorted; $2 versions
WITH deleted AS (
  DELETE FROM history AS h
  USING unnest($1::bytea[], $2::bytea[]) AS i (key, version)
  WHERE h.key = i.key AND h.version = i.version
  RETURNING h.key
)
UPDATE entries AS e SET retained = e.retained - 1 FROM deleted WHERE e.key = deleted.key
