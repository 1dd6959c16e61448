-- Values of retained versions.
-- $1 to $4 what names them: keys, whether they are kept, when they were
-- replaced, numbers
SELECT k.n, h.value
FROM unnest($1::bytea[], $2::boolean[], $3::timestamptz[], $4::bigint[]) WITH ORDINALITY
  AS k (key, kept, replaced, number, n)
JOIN history AS h ON h.key = k.key AND h.kept = k.kept AND h.replaced = k.replaced AND h.number = k.number
