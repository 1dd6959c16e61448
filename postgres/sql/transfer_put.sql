-- Puts entries where there are none, in the order of the keys. What they retain
-- is counted afterwards.
-- $1 keys, sorted; $2 versions; $3 the versions before; $4 checksums; $5 when
-- they were created and $6 updated; $7 marks; $8 sizes; $9 how the values are
-- packed; $10 values; $11 format; $12 how many there are
WITH taken AS (
  INSERT INTO keys (key)
  SELECT i.key FROM unnest($1::bytea[]) AS i (key)
  ON CONFLICT (key) DO NOTHING
  RETURNING key
), put AS (
  INSERT INTO entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
  SELECT i.key, i.version, i.recent, 1, $11::integer, i.sum, i.created, i.updated, i.marked, i.size, i.packed, i.value
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::timestamptz[], $6::timestamptz[],
      $7::boolean[], $8::integer[], $9::smallint[], $10::bytea[])
    AS i (key, version, recent, sum, created, updated, marked, size, packed, value)
)
SELECT 1 / (CASE WHEN count(key) = $12::bigint THEN 1 ELSE 0 END), now() FROM taken
