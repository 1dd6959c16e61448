-- Measured: rows just above 2 KB, which the server would move out of line one by
-- one, are saved three times as fast when they stay where they are; and what the
-- program has packed is not packed again.
ALTER TABLE entries ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE history ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE entries SET (toast_tuple_target = 8160);
ALTER TABLE history SET (toast_tuple_target = 8160);
-- Room for a page's next versions: measured, a table that is saved at full speed
-- then stays at its size, and grows threefold without.
ALTER TABLE entries SET (fillfactor = 70);
-- Every save leaves a dead row behind. A large table must not wait for a fifth
-- of it to be dead, nor may cleaning it be slowed down until it falls behind.
ALTER TABLE entries SET (
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.05,
  toast.autovacuum_vacuum_cost_delay = 0
);
