-- Says of entries what is retained of them, and numbers them after that.
-- $1 keys, sorted
UPDATE entries AS e SET
  number = 1 + coalesce((SELECT max(h.number) FROM history AS h WHERE h.key = e.key), 0),
  retained = (SELECT count(*) FROM history AS h WHERE h.key = e.key),
  oldest = (SELECT min(h.replaced) FROM history AS h WHERE h.key = e.key AND NOT h.kept)
FROM unnest($1::bytea[]) AS i (key)
WHERE e.key = i.key
