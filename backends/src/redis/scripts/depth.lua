-- How many deliveries of a lane are visible, and how many are hidden.
-- KEYS: its ready tasks, its hidden deliveries.
local now = exact(clock())
local over = call('ZCOUNT', KEYS[2], '-inf', now)
return { call('ZCARD', KEYS[1]) + over, call('ZCOUNT', KEYS[2], '(' .. now, '+inf') }
