-- Only on PostgreSQL. A client's machine that dies in the middle of sending a
-- transaction leaves locks at the server, which waits for the rest: the
-- time-outs for statements and for idle transactions do not run then. So the
-- server is to look whether the client is still there, and to end a transaction
-- that takes long, $1, where it knows how (17). What it does not know is left
-- out. The result says which process of the server's this is.
SELECT
  pg_backend_pid(),
  (SELECT a.backend_start FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()),
  CASE WHEN current_setting('tcp_keepalives_idle', true) IS NOT NULL THEN set_config('tcp_keepalives_idle', '5', false) END,
  CASE WHEN current_setting('tcp_keepalives_interval', true) IS NOT NULL THEN set_config('tcp_keepalives_interval', '2', false) END,
  CASE WHEN current_setting('tcp_keepalives_count', true) IS NOT NULL THEN set_config('tcp_keepalives_count', '3', false) END,
  CASE WHEN current_setting('tcp_user_timeout', true) IS NOT NULL THEN set_config('tcp_user_timeout', '10000', false) END,
  CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL THEN set_config('transaction_timeout', $1::text, false) END
