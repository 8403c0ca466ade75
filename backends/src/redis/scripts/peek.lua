-- Looks at the first places of lanes.
-- KEYS: of each lane its ready tasks and its hidden deliveries.
-- ARGV: how many of each lane.
-- Returns in how many microseconds the first hidden delivery becomes visible (-1: none is
-- hidden), then of each lane its first places.
local now = clock()
local reply = { '' }
local wait = -1
for lane = 1, #KEYS / 2 do
  local ready, hidden = KEYS[2 * lane - 1], KEYS[2 * lane]
  remove(hidden, restore(ready, hidden, now))
  wait = soonest(wait, hidden, now)
  reply[#reply + 1] = call('ZRANGE', ready, 0, tonumber(ARGV[1]) - 1)
end
reply[1] = exact(wait)
return reply
