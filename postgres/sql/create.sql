-- Creates entries that are absent, in the order of the keys, and takes keys that
-- are to stay absent, which vacate.sql gives back. Who creates the same key at the
-- same time waits for the other to end.
-- $1 keys, sorted, of both kinds; $2 to $8 of those that are created: keys,
-- versions, marks, checksums, sizes, how the values are packed, values; $9 format;
-- $10 keys that may be there already and then stay as they are; $11 how many
-- others there are
WITH taken AS (
  INSERT INTO keys (key)
  SELECT i.key FROM unnest($1::bytea[]) AS i (key)
  ON CONFLICT (key) DO NOTHING
  RETURNING key
), created AS (
  INSERT INTO entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
  SELECT i.key, i.id, ''::bytea, 1, $9::integer, i.sum, now(), now(), i.mark, i.size, i.packed, i.value
  FROM unnest($2::bytea[], $3::bytea[], $4::boolean[], $5::bigint[], $6::integer[], $7::smallint[], $8::bytea[])
    AS i (key, id, mark, sum, size, packed, value)
  WHERE (i.key IN (SELECT key FROM taken)) IS TRUE
)
SELECT 1 / (CASE WHEN count(key) = $11::bigint THEN 1 ELSE 0 END), now()
FROM taken
WHERE NOT key = ANY ($10::bytea[])
