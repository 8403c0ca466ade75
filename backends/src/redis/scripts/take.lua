-- Takes the first places of lanes and hides them.
-- KEYS: of each lane its ready tasks and its hidden deliveries.
-- ARGV: for how many microseconds to hide, then of each lane how many to take at most.
-- Returns in how many microseconds the first hidden delivery becomes visible (-1: none is
-- hidden), until when these are hidden, then of each lane the places that were taken.
local now = clock()
local hide = exact(now + tonumber(ARGV[1]))
local reply = { '', hide }
local wait = -1
for lane = 1, #KEYS / 2 do
  local ready, hidden = KEYS[2 * lane - 1], KEYS[2 * lane]
  local over = restore(ready, hidden, now)
  local popped = call('ZPOPMIN', ready, ARGV[1 + lane])
  local taken, again = {}, {}
  if #popped > 0 then
    local places = {}
    for i = 1, #popped, 2 do
      taken[#taken + 1] = popped[i]
      again[popped[i]] = true
      places[i] = hide
      places[i + 1] = popped[i]
    end
    call('ZADD', hidden, unpack(places))
  end
  local back = {}
  for i = 1, #over do
    if not again[over[i]] then
      back[#back + 1] = over[i]
    end
  end
  remove(hidden, back)
  wait = soonest(wait, hidden, now)
  reply[#reply + 1] = taken
end
reply[1] = exact(wait)
return reply
