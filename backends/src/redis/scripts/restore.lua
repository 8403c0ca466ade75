-- A place is eight bytes of a score, shifted so that the bytes sort as the numbers do, and the
-- id. Both halves are exact, so that the sum is rounded once, as the client rounds it.
local function score(place)
  -- It is no place: whoever takes it sees that, and it must be in nobody's way here.
  if #place < 8 then
    return '-inf'
  end
  local a, b, c, d, e, f, g, h = string.byte(place, 1, 8)
  local high = ((a * 256 + b) * 256 + c) * 256 + d
  local low = ((e * 256 + f) * 256 + g) * 256 + h
  return string.format('%.17g', (high - 2147483648) * 4294967296 + low)
end

-- The server's clock, in microseconds: all nodes hide and restore by the same one.
local function clock()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function exact(number)
  return string.format('%.0f', number)
end

-- A script that has written is not refused for want of memory any more: what is there can be worked
-- on also when nothing new is taken.
local function exceed(key)
  call('ZREM', key, '')
end

-- A key that holds nothing any more is gone, and a node that is giving its slot away refuses all
-- that a script says of it: in the middle, and what was written stays. So nothing is taken out
-- before what goes in, and a key that was emptied is left alone.
local gone = {}

local function remove(key, places)
  if #places > 0 then
    gone[key] = call('ZCARD', key) == call('ZREM', key, unpack(places))
  end
end

-- Makes deliveries ready again whose time hidden is over. They are to be removed from the hidden
-- ones.
local function restore(ready, hidden, now)
  local over = call('ZRANGEBYSCORE', hidden, '-inf', exact(now), 'LIMIT', 0, 1000)
  if #over > 0 then
    local places = {}
    for i = 1, #over do
      places[2 * i - 1] = score(over[i])
      places[2 * i] = over[i]
    end
    exceed(hidden)
    call('ZADD', ready, unpack(places))
  end
  return over
end

-- In how many microseconds the first hidden delivery becomes visible; -1 when there is none.
local function soonest(wait, hidden, now)
  if gone[hidden] then
    return wait
  end
  local first = call('ZRANGE', hidden, 0, 0, 'WITHSCORES')
  if first[2] then
    local left = math.max(tonumber(first[2]) - now, 0)
    if wait < 0 or left < wait then
      return left
    end
  end
  return wait
end

