-- Settings of each connection: schema, and time-outs in milliseconds. A commit
-- that was acknowledged must be on disk, whatever the server's default is.
SELECT
  set_config('search_path', $1::text, false),
  set_config('statement_timeout', $2::text, false),
  set_config('lock_timeout', $3::text, false),
  set_config('TimeZone', 'UTC', false),
  set_config('idle_in_transaction_session_timeout', $4::text, false),
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END
