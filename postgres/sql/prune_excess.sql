-- Deletes the oldest of the versions that are too many, those that are kept
-- last.
-- $1 keys, sorted; $2 how many may stay
DELETE FROM history AS h
USING (
  SELECT i.key, x.kept, x.replaced, x.number
  FROM unnest($1::bytea[], $2::bigint[]) AS i (key, most)
  CROSS JOIN LATERAL (
    SELECT o.kept, o.replaced, o.number
    FROM history AS o
    WHERE o.key = i.key
    ORDER BY o.key, o.kept, o.replaced, o.number
    LIMIT greatest((SELECT count(*) FROM history AS a WHERE a.key = i.key) - i.most, 0)
  ) AS x
) AS excess
WHERE h.key = excess.key AND h.kept = excess.kept AND h.replaced = excess.replaced AND h.number = excess.number
