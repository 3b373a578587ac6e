-- What Eider records about the schema. Run before migrations, as often as needed: it changes nothing that exists.
--
-- A migration is a file migrations/NNNN-name.sql: numbers without gaps, each file applied once, in order, in a
-- transaction of its own. An applied file is never changed: what was wrong is put right by a new one.
--
-- The mark: where the comment at the top of a migration has the line
--     -- backward-compatible
-- the release before it works on the migrated database too. In a rolling deployment that release may then still start.
-- Without the mark it refuses (SCHEMA_NEWER). New tables, new columns with a default and new views are compatible;
-- anything renamed, dropped or narrowed is not.

CREATE TABLE IF NOT EXISTS schema_migrations (
  version             INTEGER PRIMARY KEY,
  name                VARCHAR NOT NULL,
  sha256              VARCHAR NOT NULL,      -- of the file's bytes, in hex
  applied_at          TIMESTAMPTZ NOT NULL,
  duration_ms         INTEGER NOT NULL,
  backward_compatible BOOLEAN NOT NULL
);

-- Sample data that was loaded, so that what a user has deleted stays deleted.
CREATE TABLE IF NOT EXISTS schema_seeds (
  name      VARCHAR PRIMARY KEY,
  loaded_at TIMESTAMPTZ NOT NULL
);
