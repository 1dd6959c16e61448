-- What a schema has: whether it is there, tables that are not Holdfast's, and
-- whether Holdfast's record of migrations is there.
-- $1 schema
SELECT
  EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name = $1::text),
  (SELECT count(*) FROM information_schema.tables
    WHERE table_schema = $1::text AND table_name NOT LIKE 'holdfast\_%' AND table_name NOT IN ('keys', 'entries', 'history', 'players')),
  EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = $1::text AND table_name = 'holdfast_migrations'),
  EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = $1::text AND table_name = 'entries')
