-- Gives back keys: of entries that delete.sql deleted, and those that create.sql
-- took because they must be absent, which kept others from creating them.
-- $1 keys, sorted
DELETE FROM keys AS k USING unnest($1::bytea[]) AS i (key) WHERE k.key = i.key
