-- As list.sql, without values and however large they are.
SELECT key, clock_timestamp(), version, recent, created, updated, marked, lead(key) OVER (ORDER BY key) IS NOT NULL AS more
FROM (
  SELECT e.key, e.version, e.recent, e.created, e.updated, e.marked
  FROM entries AS e
  WHERE e.key >= $1::bytea AND e.key > $2::bytea AND ($3::bytea IS NULL OR e.key < $3::bytea)
  ORDER BY e.key
  LIMIT $4::bigint + 1
) AS page
ORDER BY key
LIMIT $4::bigint
