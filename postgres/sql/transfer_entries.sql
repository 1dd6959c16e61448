-- Entries without their values, in the order of their keys.
-- $1 a key, $2 whether it may come itself or only those after it, $3 how many at
-- most
SELECT e.key, e.version, e.recent, e.created, e.updated, e.marked, e.format, e.sum, e.size, e.packed, e.retained
FROM entries AS e
WHERE e.key >= $1::bytea AND ($2::boolean OR e.key > $1::bytea)
ORDER BY e.key
LIMIT $3::bigint
