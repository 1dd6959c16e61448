-- Puts entries in place of what is there, in the order of the keys. What they
-- retain is counted afterwards.
-- $1 keys, sorted; $2 versions; $3 the versions before; $4 checksums; $5 when
-- they were created and $6 updated; $7 marks; $8 sizes; $9 how the values are
-- packed; $10 values; $11 format
INSERT INTO entries (key, version, recent, number, format, sum, created, updated, marked, size, packed, value)
SELECT i.key, i.version, i.recent, 1, $11::integer, i.sum, i.created, i.updated, i.marked, i.size, i.packed, i.value
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::timestamptz[], $6::timestamptz[],
    $7::boolean[], $8::integer[], $9::smallint[], $10::bytea[])
  AS i (key, version, recent, sum, created, updated, marked, size, packed, value)
ON CONFLICT (key) DO UPDATE SET
  version = excluded.version,
  recent = excluded.recent,
  number = excluded.number,
  format = excluded.format,
  sum = excluded.sum,
  created = excluded.created,
  updated = excluded.updated,
  marked = excluded.marked,
  retained = 0,
  oldest = NULL,
  size = excluded.size,
  packed = excluded.packed,
  value = excluded.value
