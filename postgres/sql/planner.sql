-- Only on PostgreSQL. Every statement here looks up keys or walks through them
-- in order, so there is one right plan whatever the tables hold, and it takes
-- row locks in the order of the keys. Without this a plan that was made while a
-- table was small stays in use when it has grown, or locks in another order.
SELECT
  set_config('enable_seqscan', 'off', false),
  set_config('enable_bitmapscan', 'off', false),
  set_config('enable_hashjoin', 'off', false),
  set_config('enable_mergejoin', 'off', false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('jit', 'off', false)
