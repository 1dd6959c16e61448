-- Entries and the time. There is one row for each key; that the newest version is
-- asked for makes the search begin there, and not at versions that are dead.
-- $1 keys
SELECT k.n, clock_timestamp(), e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, n)
LEFT JOIN LATERAL (
  SELECT version, recent, format, sum, created, updated, marked, size, packed, value
  FROM entries
  WHERE entries.key = k.key
  ORDER BY version DESC
  LIMIT 1
) AS e ON true
