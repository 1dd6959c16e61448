SELECT coalesce(max(version_id), 0) FROM holdfast_migrations WHERE is_applied
