local call = redis.call

-- A server keeps a small sorted set of short members as a list, and looks through it from the front
-- for each member that comes or goes. One that had a long member is kept as a tree with an index
-- from then on: so before many members come into a small set, a long one does, and leaves again.
-- What a server takes for small and for short are its defaults; where others are set, this does
-- nothing.
local SMALL = 128
local LONG = string.rep('-', 65)
local MANY = 8

-- Puts the long member into a set that so many are about to come into, if it is of use there.
local function grow(key, count)
  local is_of_use = count >= MANY and call('ZCARD', key) < SMALL
  if is_of_use then
    call('ZADD', key, '0', LONG)
  end
  return is_of_use
end

local function shrink(key)
  call('ZREM', key, LONG)
end

