-- Adds retained versions after those that are there.
-- $1 keys; $2 the versions' places among those that are added, from 1; $3
-- versions; $4 checksums; $5 when they were written and $6 replaced; $7 marks;
-- $8 whether they are kept; $9 sizes; $10 how the values are packed; $11 values;
-- $12 format
INSERT INTO history (key, kept, replaced, number, version, format, sum, updated, marked, size, packed, value)
SELECT i.key, i.kept, i.replaced, coalesce((SELECT max(o.number) FROM history AS o WHERE o.key = i.key), 0) + i.n,
  i.version, $12::integer, i.sum, i.updated, i.marked, i.size, i.packed, i.value
FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::timestamptz[], $6::timestamptz[],
    $7::boolean[], $8::boolean[], $9::integer[], $10::smallint[], $11::bytea[])
  AS i (key, n, version, sum, updated, replaced, marked, kept, size, packed, value)
