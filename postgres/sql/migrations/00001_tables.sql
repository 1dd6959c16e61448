-- +goose Up
CREATE TABLE entries (
  key      bytea       NOT NULL PRIMARY KEY, -- UTF-8 text; its bytes sort alike in every database
  version  bytea       NOT NULL, -- id of the present version, 16 bytes
  recent   bytea       NOT NULL, -- ids of up to 15 versions before it, newest first
  number   bigint      NOT NULL, -- counts the key's versions
  format   integer     NOT NULL, -- of how the value is checked
  sum      bigint      NOT NULL, -- CRC-32C over key, version and unpacked value
  created  timestamptz NOT NULL, -- when the first version was written
  updated  timestamptz NOT NULL, -- when the present version was written
  marked   boolean     NOT NULL, -- kept by the schedule of versions whatever its age
  retained bigint      NOT NULL DEFAULT 0, -- how many rows of history the key has
  oldest   timestamptz, -- the least "replaced" of those that are not kept
  size     integer     NOT NULL, -- bytes of the unpacked value
  packed   smallint    NOT NULL, -- 0: as it is, 1: a Snappy block
  value    bytea       NOT NULL
);

CREATE TABLE history (
  key      bytea       NOT NULL,
  kept     boolean     NOT NULL, -- it, or the one that replaced it, was marked
  replaced timestamptz NOT NULL, -- when another took its place
  number   bigint      NOT NULL,
  version  bytea       NOT NULL,
  format   integer     NOT NULL,
  sum      bigint      NOT NULL,
  updated  timestamptz NOT NULL, -- when the version was written
  marked   boolean     NOT NULL,
  size     integer     NOT NULL,
  packed   smallint    NOT NULL,
  value    bytea       NOT NULL,
  PRIMARY KEY (key, kept, replaced, number)
);
