-- Replaces entries that are at the versions that are expected. Whether the old
-- version is counted as retained follows the same rule as in keep.sql.
-- $1 keys, sorted; $2 expected versions; $3 new versions; $4 null, or the recent
-- versions if they are not the old ones with the expected one before; $5 as $3
-- in keep.sql, null without a schedule; $6 marks; $7 checksums; $8 sizes; $9
-- how the values are packed; $10 values; $11 format; $12 how many keys; $13 null,
-- or whether it is supposed of each that its schedule, which is $14 to $16 as $3,
-- $5 and $6 in keep.sql, does not keep the old version. That is made sure of
-- here, and those are returned whose history may have versions to be deleted.
WITH span AS (
  SELECT timestamptz 'epoch' + interval '1 microsecond' * ((n.now - n.now % nullif($14::bigint, 0) + 999) / 1000)::bigint AS began
  FROM (SELECT (date_part('epoch', now()) * 1000000)::bigint * 1000 AS now) AS n
), replaced AS (
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
      WHEN (date_part('epoch', e.updated) * 1000000)::bigint * 1000 - (date_part('epoch', e.updated) * 1000000)::bigint * 1000 % i.every
        = (date_part('epoch', now()) * 1000000)::bigint * 1000 - (date_part('epoch', now()) * 1000000)::bigint * 1000 % i.every THEN 0
      ELSE 1 END,
    oldest = CASE
      WHEN i.every IS NULL OR i.every < 0 OR i.mark OR e.marked THEN e.oldest
      WHEN i.every = 0 THEN least(e.oldest, now())
      WHEN (date_part('epoch', e.updated) * 1000000)::bigint * 1000 - (date_part('epoch', e.updated) * 1000000)::bigint * 1000 % i.every
        = (date_part('epoch', now()) * 1000000)::bigint * 1000 - (date_part('epoch', now()) * 1000000)::bigint * 1000 % i.every THEN e.oldest
      ELSE least(e.oldest, now()) END,
    size = i.size,
    packed = i.packed,
    value = i.value
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::boolean[],
      $7::bigint[], $8::integer[], $9::smallint[], $10::bytea[], $13::boolean[])
    AS i (key, expected, id, recent, every, mark, sum, size, packed, value, quiet)
  WHERE e.key = i.key AND e.version = i.expected
    AND (i.quiet IS NOT TRUE OR NOT e.marked AND e.updated <= now() AND e.updated >= (SELECT began FROM span))
  RETURNING CASE WHEN i.quiet
      AND (e.oldest <= now() - $15::bigint * interval '1 microsecond' AND $15::bigint > 0
        OR e.retained > $16::bigint AND $16::bigint > 0)
    THEN e.key END AS prune
)
SELECT
  1 / (CASE WHEN count(*) = $12::bigint THEN 1 ELSE 0 END),
  now(),
  array_agg(prune) FILTER (WHERE prune IS NOT NULL)
FROM replaced
