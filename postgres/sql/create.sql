-- Creates entries that are absent, in the order of the keys. Who creates the
-- same key at the same time waits for the other to end.
-- $1 keys, sorted; $2 versions; $3 marks; $4 checksums; $5 sizes; $6 how the
-- values are packed; $7 values; $8 format; $9 keys that may be there already and
-- then stay as they are; $10 how many others there are
WITH created AS (
  INSERT INTO entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
  SELECT i.key, i.id, ''::bytea, 1, $8::integer, i.sum, now(), now(), i.mark, i.size, i.packed, i.value
  FROM unnest($1::bytea[], $2::bytea[], $3::boolean[], $4::bigint[], $5::integer[], $6::smallint[], $7::bytea[])
    AS i (key, id, mark, sum, size, packed, value)
  ON CONFLICT (key) DO NOTHING
  RETURNING key
)
SELECT 1 / (CASE WHEN count(key) = $10::bigint THEN 1 ELSE 0 END), now()
FROM created
WHERE NOT key = ANY ($9::bytea[])
