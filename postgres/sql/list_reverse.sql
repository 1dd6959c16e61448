-- As list.sql, from the last key to the first.
-- $1 the first key, $2 null or the first key that is too large, $3 how many at
-- most, $4 of how many bytes
SELECT key, clock_timestamp(), version, recent, format, sum, created, updated, marked, size, packed, value, more
FROM (VALUES (1)) AS always (one)
LEFT JOIN (
  SELECT *
  FROM (
    SELECT *,
      sum(size::bigint) OVER (ORDER BY key DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - size AS before,
      lead(key) OVER (ORDER BY key DESC) IS NOT NULL AS more
    FROM (
      SELECT e.key, e.version, e.recent, e.format, e.sum, e.created, e.updated, e.marked, e.size, e.packed, e.value
      FROM entries AS e
      WHERE e.key >= $1::bytea AND e.key < coalesce($2::bytea, '\xff'::bytea)
      ORDER BY e.key DESC
      LIMIT $3::bigint + 1
    ) AS page
  ) AS measured
  WHERE before < $4::bigint
  ORDER BY key DESC
  LIMIT $3::bigint
) AS listed ON true
ORDER BY key DESC
