-- As list_reverse.sql, without values and however large they are.
SELECT key, clock_timestamp(), version, recent, created, updated, marked, more
FROM (VALUES (1)) AS always (one)
LEFT JOIN (
  SELECT *, lead(key) OVER (ORDER BY key DESC) IS NOT NULL AS more
  FROM (
    SELECT e.key, e.version, e.recent, e.created, e.updated, e.marked
    FROM entries AS e
    WHERE e.key >= $1::bytea AND e.key < coalesce($2::bytea, '\xff'::bytea)
    ORDER BY e.key DESC
    LIMIT $3::bigint + 1
  ) AS page
  ORDER BY key DESC
  LIMIT $3::bigint
) AS listed ON true
ORDER BY key DESC
