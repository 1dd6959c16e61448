-- Entries in the order of their keys, until their values are $5 bytes or more.
-- $1 the first key, $2 the key that all are greater than, $3 null or the first
-- key that is too large, $4 how many at most
SELECT key, clock_timestamp(), version, recent, format, sum, created, updated, marked, size, packed, value, more
FROM (
  SELECT *,
    sum(size::bigint) OVER (ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - size AS before,
    lead(key) OVER (ORDER BY key) IS NOT NULL AS more
  FROM (
    SELECT e.key, e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
    FROM entries AS e
    WHERE e.key >= $1::bytea AND e.key > $2::bytea AND ($3::bytea IS NULL OR e.key < $3::bytea)
    ORDER BY e.key
    LIMIT $4::bigint + 1
  ) AS page
) AS measured
WHERE before < $5::bigint
ORDER BY key
LIMIT $4::bigint
