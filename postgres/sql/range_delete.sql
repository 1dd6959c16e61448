-- Deletes the entries of a range, and gives back their keys.
-- $1 the first key, $2 the first that is too large
WITH deleted AS (
  DELETE FROM entries WHERE key >= $1::bytea AND key < $2::bytea RETURNING key
)
DELETE FROM keys AS k USING deleted AS d WHERE k.key = d.key
