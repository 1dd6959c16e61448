-- Copies the versions that are about to be replaced into the history, as far as
-- their schedules keep them, and returns the keys whose history may have
-- versions to be deleted, and those whose clock was set back. That a version is
-- still the present one is checked again when it is replaced.
-- $1 keys, sorted; $2 the versions that are replaced; $3 one version kept of
-- each span of so many nanoseconds (0: all, negative: none); $4 whether the new
-- version is marked; $5 microseconds that versions are kept, $6 how many are
-- kept (0: no limit); $7 how many keys there are
WITH present AS (
  SELECT
    e.key,
    e.version,
    i.mark OR e.marked AS kept,
    i.mark OR e.marked OR CASE WHEN i.every > 0
      THEN (date_part('epoch', e.updated) * 1000000)::bigint * 1000 - (date_part('epoch', e.updated) * 1000000)::bigint * 1000 % i.every
        <> (date_part('epoch', now()) * 1000000)::bigint * 1000 - (date_part('epoch', now()) * 1000000)::bigint * 1000 % i.every
      ELSE i.every = 0 END AS keep,
    i.every > 0 AND e.retained > 0 AND now() < e.updated AS reopened,
    i.age > 0 AND e.oldest <= now() - i.age * interval '1 microsecond' AS expired,
    e.retained,
    i.most
  FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::boolean[], $5::bigint[], $6::bigint[])
    AS i (key, version, every, mark, age, most)
  JOIN entries AS e ON e.key = i.key AND e.version = i.version
), copied AS (
  INSERT INTO history (key, kept, replaced, number, version, format, sum, updated, marked, size, packed, value)
  SELECT e.key, p.kept, now(), e.number, e.version, e.format, e.sum, e.updated, e.marked, e.size, e.packed, e.value
  FROM present AS p
  JOIN entries AS e ON e.key = p.key AND e.version = p.version
  WHERE p.keep
)
SELECT
  1 / (CASE WHEN count(*) = $7::bigint THEN 1 ELSE 0 END),
  now(),
  array_agg(key) FILTER (WHERE reopened OR expired
    OR most > 0 AND retained + CASE WHEN keep THEN 1 ELSE 0 END > most),
  array_agg(key) FILTER (WHERE reopened)
FROM present
