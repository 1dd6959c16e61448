-- Deletes entries whatever they are, to be put anew, and gives back their keys.
-- $1 keys, sorted
WITH deleted AS (
  DELETE FROM entries AS e
  USING unnest($1::bytea[]) AS i (key)
  WHERE e.key = i.key
  RETURNING e.key
)
DELETE FROM keys AS k USING deleted AS d WHERE k.key = d.key
