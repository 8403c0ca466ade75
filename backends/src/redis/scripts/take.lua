-- Takes the first places of lanes and hides them.
-- KEYS: of each lane its ready tasks and its hidden deliveries.
-- ARGV: for how many microseconds to hide, then of each lane how many to take at most.
-- Returns in how many microseconds the first hidden delivery becomes visible (-1: none is
-- hidden), until when these are hidden, then of each lane the places that were taken.
local function without(places, others)
  local is_other, rest = {}, {}
  if #places > 0 then
    for i = 1, #others do
      is_other[others[i]] = true
    end
  end
  for i = 1, #places do
    if not is_other[places[i]] then
      rest[#rest + 1] = places[i]
    end
  end
  return rest
end

local now = clock()
local hide = exact(now + tonumber(ARGV[1]))
local reply = { '', hide }
local wait = -1
for lane = 1, #KEYS / 2 do
  local ready, hidden = KEYS[2 * lane - 1], KEYS[2 * lane]
  local over = restore(ready, hidden, now)
  local most = tonumber(ARGV[1 + lane])
  -- Not ZPOPMIN, which writes out scores that nobody reads.
  local taken = most > 0 and call('ZRANGE', ready, 0, most - 1) or {}
  local count = #taken
  if count > 0 then
    call('ZREMRANGEBYRANK', ready, 0, count - 1)
    local places = {}
    for i = 1, count do
      places[2 * i - 1] = hide
      places[2 * i] = taken[i]
    end
    local is_grown = grow(hidden, count)
    call('ZADD', hidden, unpack(places))
    if is_grown then
      shrink(hidden)
    end
  end
  remove(hidden, without(over, taken))
  wait = soonest(wait, hidden, now)
  reply[#reply + 1] = taken
end
reply[1] = exact(wait)
return reply
