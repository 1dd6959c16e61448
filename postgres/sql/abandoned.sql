-- Only on PostgreSQL. Ends the server's processes that hold locks for nobody:
-- those that are in the middle of receiving a transaction and were given up by
-- this program ($1 their ids, $2 when they began), or that have received nothing
-- for 5 seconds. A transaction is sent whole, so its sender has gone. The user's
-- own COPY is nothing of the kind.
SELECT count(pg_terminate_backend(a.pid))
FROM pg_stat_activity AS a
WHERE a.usename = session_user AND a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.state = 'active' AND a.wait_event = 'ClientRead' AND a.query NOT ILIKE 'copy%'
  AND (a.query_start < pg_catalog.clock_timestamp() - INTERVAL '5 seconds'
    OR EXISTS (SELECT 1 FROM unnest($1::int4[], $2::timestamptz[]) AS gone (pid, began) WHERE gone.pid = a.pid AND gone.began = a.backend_start))
