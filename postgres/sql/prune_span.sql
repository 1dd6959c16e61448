-- Deletes the version that a span has already, of keys whose clock was set back
-- into it.
-- $1 keys, sorted; $2 and $3 the span's first moment and the one after its last
DELETE FROM history AS h
USING unnest($1::bytea[], $2::timestamptz[], $3::timestamptz[]) AS i (key, first, past)
WHERE h.key = i.key AND NOT h.kept AND h.updated >= i.first AND h.updated < i.past
