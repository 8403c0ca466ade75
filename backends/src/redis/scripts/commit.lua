-- Commits changes that all stand or fall together, and the index entries that go with them.
-- Returns 'epoch' when another epoch is recorded than the caller's, else the numbers of the
-- changes whose record has not the version that was expected; nothing is changed then.
-- Scripts have no rollback: everything is checked before the first write.
--
-- KEYS: 1 meta, 2 records, 3 lanes that hold a task, 4 queues that hold a task, then those
--       that instructions name; behind the ready tasks of a lane stand its hidden deliveries.
-- ARGV: epoch, '1' when memory may be exceeded, channel, n, n fields, n versions ('' when the
--       record must be absent), then instructions: what, number of the key, name, count, and
--       so many arguments. Nothing is put in and taken out at once.
local call = redis.call
local sub = string.sub
local MOST = 4000

if call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 'epoch'
end

local n = tonumber(ARGV[4])
local conflicts = {}
for from = 1, n, MOST do
  local to = math.min(from + MOST - 1, n)
  local values = call('HMGET', KEYS[2], unpack(ARGV, 4 + from, 4 + to))
  for i = from, to do
    local value = values[i - from + 1]
    local version = value and sub(value, 1, 8) or ''
    if version ~= ARGV[4 + n + i] then
      conflicts[#conflicts + 1] = i
    end
  end
end
if #conflicts > 0 then
  return conflicts
end

-- A script that has written is not refused for want of memory any more.
if ARGV[2] == '1' then
  call('HDEL', KEYS[1], '')
end

local function put(command, key, first, last)
  local sum = 0
  for from = first, last, MOST do
    sum = sum + call(command, key, unpack(ARGV, from, math.min(from + MOST - 1, last)))
  end
  return sum
end

-- A key that holds nothing any more is gone, and a node that is giving its slot away refuses all
-- that a script says of it: in the middle, and what was written stays. So what goes in goes in
-- first, and a key that was emptied is left alone.
local gone = {}

local function size(command, key)
  return gone[key] and 0 or call(command, key)
end

local function take(command, count, key, first, last)
  local left, sum = size(count, key), 0
  for from = first, last, MOST do
    if left > 0 then
      local out = call(command, key, unpack(ARGV, from, math.min(from + MOST - 1, last)))
      left, sum = left - out, sum + out
    end
  end
  gone[key] = left == 0
  return sum
end

local IN = { set = true, insert = true, name = true, list = true, announce = true }
local OUT = { remove = true, delete = true, forget = true, unlist = true, withdraw = true }

for _, round in ipairs({ IN, OUT }) do
  local at = 5 + 2 * n
  while ARGV[at] do
    local what, number, named, count = ARGV[at], tonumber(ARGV[at + 1]), at + 2, tonumber(ARGV[at + 3])
    local key, first, last = KEYS[number], at + 4, at + 3 + count
    at = last + 1
    if not (IN[what] or OUT[what]) then
      return redis.error_reply('ERR unknown instruction ' .. what)
    end
    if not round[what] then
      -- It is done in the other round.
    elseif what == 'set' then
      put('HSET', key, first, last)
    elseif what == 'remove' then
      take('HDEL', 'HLEN', key, first, last)
    elseif what == 'insert' then
      put('ZADD', key, first, last)
    elseif what == 'delete' then
      take('ZREM', 'ZCARD', key, first, last)
    elseif what == 'name' then
      put('SADD', key, first, last)
    elseif what == 'forget' then
      take('SREM', 'SCARD', key, first, last)
    elseif what == 'list' then
      if put('ZADD', key, first, last) == call('ZCARD', key) then
        put('SADD', KEYS[4], named, named)
      end
    elseif what == 'unlist' then
      take('ZREM', 'ZCARD', key, first, last)
      if size('ZCARD', key) == 0 then
        take('SREM', 'SCARD', KEYS[4], named, named)
      end
    elseif what == 'announce' then
      if put('ZADD', key, first, last) == call('ZCARD', key) then
        put('SADD', KEYS[3], named, named)
        call('PUBLISH', ARGV[3], ARGV[named])
      end
    elseif what == 'withdraw' then
      local hidden = KEYS[number + 1]
      if take('ZREM', 'ZCARD', hidden, first, last) < count then
        take('ZREM', 'ZCARD', key, first, last)
      end
      if size('ZCARD', key) + size('ZCARD', hidden) == 0 then
        take('SREM', 'SCARD', KEYS[3], named, named)
      end
    end
  end
end
return conflicts
