-- Retained versions without their values, in the order in which they were
-- replaced, key by key.
-- $1 the first key, $2 the last, $3 how many are skipped, $4 how many at most
SELECT h.key, h.kept, h.replaced, h.number, h.version, h.updated, h.marked, h.format, h.sum, h.size, h.packed
FROM history AS h
WHERE h.key >= $1::bytea AND h.key <= $2::bytea
ORDER BY h.key, h.number
LIMIT $4::bigint OFFSET $3::bigint
