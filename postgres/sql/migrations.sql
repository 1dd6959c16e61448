-- The migrations that were applied. Their times have no zone: connections are
-- set to UTC.
SELECT version_id, max(tstamp)::timestamptz FROM holdfast_migrations WHERE is_applied GROUP BY version_id
