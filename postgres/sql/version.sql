-- One version of a key.
-- $1 key, $2 version
SELECT e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value, true AS present
FROM entries AS e
WHERE e.key = $1::bytea AND e.version = $2::bytea
UNION ALL
SELECT h.version, ''::bytea, h.format, h.sum, e.created, h.updated, h.marked, h.size, h.packed, h.value, false
FROM (
  SELECT created
  FROM entries
  WHERE key = $1::bytea
  ORDER BY version DESC
  LIMIT 1
) AS e
JOIN history AS h ON h.key = $1::bytea AND h.version = $2::bytea
