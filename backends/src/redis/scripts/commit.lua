-- Commits changes that all stand or fall together, and the index entries that go with them.
-- Returns 'epoch' when another epoch is recorded than the caller's, else the numbers of the
-- changes whose record has not the version that was expected; nothing is changed then.
-- Scripts have no rollback: everything is checked before the first write.
--
-- KEYS: 1 meta, 2 records, 3 lanes that hold a task, 4 queues that hold a task, then those
--       that instructions name; behind the ready tasks of a lane stand its hidden deliveries.
-- ARGV: epoch, '1' when memory may be exceeded, channel, n, n fields, n versions ('' when the
--       record must be absent), then instructions: what, number of the key, name, count, and
--       so many arguments.
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

local function apply(command, key, first, last)
  local sum = 0
  for from = first, last, MOST do
    sum = sum + call(command, key, unpack(ARGV, from, math.min(from + MOST - 1, last)))
  end
  return sum
end

local at = 5 + 2 * n
while ARGV[at] do
  local what, number, name, count = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 3])
  local key, first, last = KEYS[number], at + 4, at + 3 + count
  at = last + 1
  if what == 'set' then
    apply('HSET', key, first, last)
  elseif what == 'remove' then
    apply('HDEL', key, first, last)
  elseif what == 'insert' then
    apply('ZADD', key, first, last)
  elseif what == 'delete' then
    apply('ZREM', key, first, last)
  elseif what == 'name' then
    apply('SADD', key, first, last)
  elseif what == 'forget' then
    apply('SREM', key, first, last)
  elseif what == 'list' then
    if apply('ZADD', key, first, last) == call('ZCARD', key) then
      call('SADD', KEYS[4], name)
    end
  elseif what == 'unlist' then
    apply('ZREM', key, first, last)
    if call('EXISTS', key) == 0 then
      call('SREM', KEYS[4], name)
    end
  elseif what == 'announce' then
    if apply('ZADD', key, first, last) == call('ZCARD', key) then
      call('SADD', KEYS[3], name)
      call('PUBLISH', ARGV[3], name)
    end
  elseif what == 'withdraw' then
    local hidden = KEYS[number + 1]
    if apply('ZREM', hidden, first, last) < count then
      apply('ZREM', key, first, last)
    end
    if call('EXISTS', key, hidden) == 0 then
      call('SREM', KEYS[3], name)
    end
  else
    return redis.error_reply('ERR unknown instruction ' .. what)
  end
end
return conflicts
