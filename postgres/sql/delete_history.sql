-- Deletes all retained versions of keys.
-- $1 keys, sorted
DELETE FROM history AS h USING unnest($1::bytea[]) AS i (key) WHERE h.key = i.key
