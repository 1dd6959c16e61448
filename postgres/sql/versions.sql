-- The versions of a key, oldest first. The present one is searched for as in
-- read.sql.
-- $1 key
WITH entry AS (
  SELECT version, recent, created, updated, marked, number
  FROM entries
  WHERE key = $1::bytea
  ORDER BY version DESC
  LIMIT 1
)
SELECT e.version, e.recent, e.created, e.updated, e.marked, true AS present, e.number
FROM entry AS e
UNION ALL
SELECT h.version, ''::bytea, e.created, h.updated, h.marked, false, h.number
FROM entry AS e
JOIN history AS h ON h.key = $1::bytea
ORDER BY present, number
