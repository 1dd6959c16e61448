-- Deletes the history of a range's entries that are gone.
-- $1 the first key, $2 the first that is too large
DELETE FROM history AS h
WHERE h.key >= $1::bytea AND h.key < $2::bytea
  AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.key = h.key)
