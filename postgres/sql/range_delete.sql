-- Deletes the entries of a range.
-- $1 the first key, $2 the first that is too large
DELETE FROM entries WHERE key >= $1::bytea AND key < $2::bytea
