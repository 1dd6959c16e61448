-- How many keys of a range there are, up to a limit, and the first that was not
-- counted, or null. It reads the index of keys alone, which saves leave as it is.
-- $1 the first key, $2 the first that is too large, $3 how many at most
SELECT count(*), (
  SELECT key FROM keys WHERE key >= $1::bytea AND key < $2::bytea ORDER BY key LIMIT 1 OFFSET $3::bigint
)
FROM (
  SELECT 1 FROM keys WHERE key >= $1::bytea AND key < $2::bytea ORDER BY key LIMIT $3::bigint
) AS counted
