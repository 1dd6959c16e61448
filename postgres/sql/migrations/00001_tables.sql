-- +goose Up
-- Which keys there are: exactly those of entries. A row is written when an entry
-- is created or deleted, never by a save; who creates a key that another creates
-- at the same time waits here.
CREATE TABLE keys (
  key bytea NOT NULL PRIMARY KEY
);

-- One row for each key. The version belongs to the primary key, because while
-- somebody's snapshot is open every save leaves a dead row that cannot be
-- removed: by the key alone each lookup, and each check that a row is the only
-- one, would go through all of them; by key and version it meets the one that is
-- meant. Nothing here is unique by the key alone: keys is.
CREATE TABLE entries (
  key      bytea       NOT NULL, -- UTF-8 text; its bytes sort alike in every database
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
  value    bytea       NOT NULL,
  PRIMARY KEY (key, version)
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
