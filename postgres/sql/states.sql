-- Where entries stand. They are searched for as in read.sql.
-- $1 keys
SELECT k.n, e.version, e.recent
FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, n)
CROSS JOIN LATERAL (
  SELECT version, recent
  FROM entries
  WHERE entries.key = k.key
  ORDER BY version DESC
  LIMIT 1
) AS e
