-- Gives deliveries back that are still hidden as they were handed out.
-- KEYS: of each lane its ready tasks and its hidden deliveries.
-- ARGV: after how many microseconds, channel, of each lane its name, then of each delivery the
--       number of its lane, until when it was hidden, and its place.
local lanes = #KEYS / 2
local delay = tonumber(ARGV[1])
local later = delay > 0 and exact(clock() + delay)
local tell = {}
for i = 3 + lanes, #ARGV, 3 do
  local lane, hide, place = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local ready, hidden = KEYS[2 * lane - 1], KEYS[2 * lane]
  local known = not gone[hidden] and call('ZSCORE', hidden, place)
  if known and tonumber(known) == tonumber(hide) then
    exceed(hidden)
    if later then
      call('ZADD', hidden, later, place)
      tell[lane] = true
    else
      call('ZADD', ready, score(place), place)
      tell[lane] = tell[lane] or call('ZCARD', ready) == 1
      remove(hidden, { place })
    end
  end
end
for lane = 1, lanes do
  if tell[lane] then
    call('PUBLISH', ARGV[2], ARGV[2 + lane])
  end
end
return lanes
