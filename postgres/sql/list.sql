-- Entries in the order of their keys, until their values are $5 bytes or more; if
-- there are none, one row with the time alone.
-- $1 the first key, $2 the key that all are greater than, $3 null or the first
-- key that is too large, $4 how many at most. Every bound is one of the index, also
-- without $3 (keys are UTF-8, in which no byte is ff): an OR would make a plan for
-- all values walk to the end of the table.
SELECT key, clock_timestamp(), version, recent, format, sum, created, updated, marked, size, packed, value, more
FROM (VALUES (1)) AS always (one)
LEFT JOIN (
  SELECT *
  FROM (
    SELECT *,
      sum(size::bigint) OVER (ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - size AS before,
      lead(key) OVER (ORDER BY key) IS NOT NULL AS more
    FROM (
      SELECT e.key, e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
      FROM entries AS e
      WHERE e.key >= $1::bytea AND e.key > $2::bytea AND e.key < coalesce($3::bytea, '\xff'::bytea)
      ORDER BY e.key
      LIMIT $4::bigint + 1
    ) AS page
  ) AS measured
  WHERE before < $5::bigint
  ORDER BY key
  LIMIT $4::bigint
) AS listed ON true
ORDER BY key
