-- What the server is, and whether it can be written to.
SELECT version(), current_setting('server_version_num'), current_setting('transaction_read_only')
