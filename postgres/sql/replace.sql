-- Replaces entries that are at the versions that are expected. Whether the old
-- version is counted as retained follows the same rule as in keep.sql.
-- $1 keys, sorted; $2 expected versions; $3 new versions; $4 null, or the recent
-- versions if they are not the old ones with the expected one before; $5 as $3
-- in keep.sql, null without a schedule; $6 marks; $7 checksums; $8 sizes; $9
-- how the values are packed; $10 values; $11 format; $12 how many keys
WITH replaced AS (
  UPDATE entries AS e SET
    version = i.id,
    recent = coalesce(i.recent, substring(e.version || e.recent FROM 1 FOR 240)),
    number = e.number + 1,
    format = $11::integer,
    sum = i.sum,
    updated = now(),
    marked = i.mark,
    retained = e.retained + CASE
      WHEN i.every IS NULL THEN 0
      WHEN i.mark OR e.marked OR i.every = 0 THEN 1
      WHEN i.every < 0 THEN 0
      WHEN (extract(epoch FROM e.updated) * 1000000)::bigint * 1000 / i.every
        = (extract(epoch FROM now()) * 1000000)::bigint * 1000 / i.every THEN 0
      ELSE 1 END,
    oldest = CASE
      WHEN i.every IS NULL OR i.every < 0 OR i.mark OR e.marked THEN e.oldest
      WHEN i.every = 0 THEN least(e.oldest, now())
      WHEN (extract(epoch FROM e.updated) * 1000000)::bigint * 1000 / i.every
        = (extract(epoch FROM now()) * 1000000)::bigint * 1000 / i.every THEN e.oldest
      ELSE least(e.oldest, now()) END,
    size = i.size,
    packed = i.packed,
    value = i.value
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::boolean[],
      $7::bigint[], $8::integer[], $9::smallint[], $10::bytea[])
    AS i (key, expected, id, recent, every, mark, sum, size, packed, value)
  WHERE e.key = i.key AND e.version = i.expected
  RETURNING 1 AS one
)
SELECT 1 / (CASE WHEN count(one) = $12::bigint THEN 1 ELSE 0 END), now() FROM replaced
