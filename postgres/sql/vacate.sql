-- Deletes the entries that create.sql made for keys that must be absent: they
-- kept others from creating them.
-- $1 keys, sorted
DELETE FROM entries AS e USING unnest($1::bytea[]) AS i (key) WHERE e.key = i.key
