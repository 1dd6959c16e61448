-- The versions of a key, oldest first.
-- $1 key
SELECT e.version, e.recent, e.created, e.updated, e.marked, true AS present, e.number
FROM entries AS e
WHERE e.key = $1::bytea
UNION ALL
SELECT h.version, ''::bytea, e.created, h.updated, h.marked, false, h.number
FROM history AS h
JOIN entries AS e ON e.key = h.key
WHERE h.key = $1::bytea
ORDER BY present, number
