-- Deletes the retained versions of a key after the first so many.
-- $1 key, $2 how many stay
DELETE FROM history AS h
USING (
  SELECT o.kept, o.replaced, o.number
  FROM history AS o
  WHERE o.key = $1::bytea
  ORDER BY o.number
  OFFSET $2::bigint
) AS x
WHERE h.key = $1::bytea AND h.kept = x.kept AND h.replaced = x.replaced AND h.number = x.number
