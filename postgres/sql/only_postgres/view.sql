-- Players for people with SQL. The statements of this file are separated by
-- lines that say so, because functions have semicolons of their own.
CREATE FUNCTION unpack(packed smallint, size integer, value bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog
AS $body$
-- Unpacks a value: 0 is stored as it is, 1 is a Snappy block. What does not
-- unpack to its size is null, never an error.
DECLARE
  stored constant integer := length(value);
  at integer := 0;       -- of the next byte to be read
  plain bytea := ''::bytea;
  total bigint := 0;     -- the size that the block says
  shift integer := 0;
  tag integer;
  count integer;
  distance integer;
  step integer;
BEGIN
  IF packed = 0 THEN
    RETURN value;
  ELSIF packed <> 1 THEN
    RETURN NULL;
  END IF;
  LOOP
    IF at >= stored OR shift > 28 THEN
      RETURN NULL;
    END IF;
    tag := get_byte(value, at);
    at := at + 1;
    total := total + ((tag & 127)::bigint << shift);
    shift := shift + 7;
    EXIT WHEN tag < 128;
  END LOOP;
  IF total <> size THEN
    RETURN NULL;
  END IF;
  WHILE at < stored LOOP
    tag := get_byte(value, at);
    at := at + 1;
    IF tag & 3 = 0 THEN -- bytes as they are
      count := tag >> 2;
      IF count >= 60 THEN
        step := count - 59; -- that many bytes tell how many
        IF at + step > stored OR step = 4 AND get_byte(value, at + 3) > 127 THEN
          RETURN NULL;
        END IF;
        count := 0;
        FOR i IN REVERSE step - 1 .. 0 LOOP
          count := count * 256 + get_byte(value, at + i);
        END LOOP;
        at := at + step;
      END IF;
      IF count > stored - at - 1 THEN
        RETURN NULL;
      END IF;
      plain := plain || substring(value FROM at + 1 FOR count + 1);
      at := at + count + 1;
    ELSE -- bytes that were there before
      IF tag & 3 = 1 THEN
        step := 1;
        count := ((tag >> 2) & 7) + 4;
      ELSE
        step := CASE WHEN tag & 3 = 2 THEN 2 ELSE 4 END;
        count := (tag >> 2) + 1;
      END IF;
      IF at + step > stored OR step = 4 AND get_byte(value, at + 3) > 127 THEN
        RETURN NULL;
      END IF;
      distance := get_byte(value, at);
      IF step = 1 THEN
        distance := distance + ((tag >> 5) << 8);
      ELSE
        distance := distance + (get_byte(value, at + 1) << 8);
      END IF;
      IF step = 4 THEN
        distance := distance + (get_byte(value, at + 2) << 16) + (get_byte(value, at + 3) << 24);
      END IF;
      at := at + step;
      IF distance = 0 OR distance > length(plain) THEN
        RETURN NULL;
      END IF;
      WHILE count > 0 LOOP -- what is copied may overlap what it makes
        step := least(count, distance);
        plain := plain || substring(plain FROM length(plain) - distance + 1 FOR step);
        count := count - step;
      END LOOP;
    END IF;
    IF length(plain) > size THEN
      RETURN NULL;
    END IF;
  END LOOP;
  IF length(plain) <> size THEN
    RETURN NULL;
  END IF;
  RETURN plain;
END
$body$
-- next statement
CREATE FUNCTION as_root(value bytea, OUT locked_by text, OUT locked_since timestamptz, OUT erased boolean, OUT fields json)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog
SET timezone = 'UTC'
AS $body$
-- Takes a stored profile apart. What is no JSON, or not a profile's, is null. The
-- fields are the last member and are cut out as text: the operators of json, and
-- all of jsonb, refuse a text that has the character \u0000 anywhere.
DECLARE
  whole text;
  head json;
  cut integer;
BEGIN
  whole := convert_from(value, 'UTF8');
  IF whole::json IS NULL OR left(whole, 1) <> '{' THEN
    RETURN;
  END IF;
  cut := position(',"data":' IN whole); -- within a string the quotes would be escaped
  IF cut = 0 THEN
    RETURN;
  END IF;
  fields := substring(whole FROM cut + 8 FOR length(whole) - cut - 8)::json;
  head := (left(whole, cut - 1) || '}')::json;
  erased := coalesce(head ->> 'erased' = 'true', false);
  locked_by := head #>> '{lock,server}';
  locked_since := head #>> '{lock,since}';
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN;
END
$body$
-- next statement
CREATE FUNCTION as_text(key bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog
AS $body$
-- Returns a key as text, or null if it is none.
BEGIN
  RETURN convert_from(key, 'UTF8');
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END
$body$
-- next statement
CREATE VIEW players AS
SELECT
  as_text(e.key) AS key,
  split_part(as_text(e.key), '/', 1) AS kind,
  split_part(as_text(e.key), '/', 2) AS id,
  encode(e.version, 'hex') AS version,
  e.created,
  e.updated,
  e.size,
  e.retained AS versions,
  r.locked_by,
  r.locked_since,
  r.erased,
  r.fields
FROM entries AS e
CROSS JOIN LATERAL as_root(unpack(e.packed, e.size, e.value)) AS r
WHERE position('/'::bytea IN e.key) > 0
  AND position('/'::bytea IN substring(e.key FROM position('/'::bytea IN e.key) + 1)) = 0
  AND substring(e.key FROM 1 FOR 1) <> '~'::bytea
-- next statement
COMMENT ON VIEW players IS 'One row for each player, guild or other profile: fields as JSON, as of its last save; what a playing player changed since is in the journal.'
