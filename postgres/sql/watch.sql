-- Only on PostgreSQL. A statement whose client has hung up ends soon, and its
-- locks with it. Not every operating system can tell; the server then refuses
-- this setting, and the connection does without.
SELECT set_config('client_connection_check_interval', '2000', false)
