-- Commits changes that all stand or fall together, and the index entries that go with them.
-- Returns 'epoch' when another epoch is recorded than the caller's, else the numbers of the
-- changes whose record has not the version that was expected; nothing is changed then.
-- Scripts have no rollback: everything is checked before the first write.
--
-- KEYS: 1 meta, 2 records, 3 lanes that hold a task, 4 queues that hold a task, then those
--       that instructions name; behind the ready tasks of a lane stand its hidden deliveries.
-- ARGV: epoch, '1' when memory may be exceeded, channel, how many fields and how many versions
--       there are, the fields, the versions ('' when the record must be absent, and with LATER
--       behind it when what the record is later may stand in the field with LATER behind its
--       name; a single one is that of all), then instructions: what, number of the key, name, how many members it is
--       about, which of the fields is the first of them (0: they follow), how many scores or
--       values they have, these (a single one is that of all), and the members that follow.
--       Nothing is put in and taken out at once.
local sub, unpack, ARGV = string.sub, unpack, ARGV
-- Of how many members a command is told at once; unpack gives up at nearly twice as many values.
local MOST = 3900
local HEAD = 5
local VERSION = 8
local LATER = '\0\0'

if call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 'epoch'
end

local n, versions = tonumber(ARGV[4]), tonumber(ARGV[5])
local first = HEAD + n
-- What all of them expect, if it is the same.
local same = versions == 1 and ARGV[first + 1]

-- Puts into `found` what stands in the fields of these numbers.
local function look(numbers, ending, found)
  for from = 1, #numbers, MOST do
    local names = {}
    for at = from, math.min(from + MOST - 1, #numbers) do
      names[#names + 1] = ARGV[HEAD + numbers[at]] .. ending
    end
    local values = call('HMGET', KEYS[2], unpack(names))
    for i = 1, #names do
      found[numbers[from + i - 1]] = values[i]
    end
  end
end

local found, later, other = {}, {}, {}
if not same or #same > VERSION then
  for i = 1, n do
    if #(same or ARGV[first + i]) > VERSION then
      later[#later + 1] = i
    end
  end
end
if #later == 0 and n > 0 and n <= MOST then
  found = call('HMGET', KEYS[2], unpack(ARGV, HEAD + 1, HEAD + n))
else
  look(later, LATER, found)
  for i = 1, n do
    if not found[i] then
      other[#other + 1] = i
    end
  end
  look(other, '', found)
end
local conflicts = {}
for i = 1, n do
  local known, expected = found[i] or '', same or ARGV[first + i]
  if #known > VERSION then
    known = sub(known, 1, VERSION)
  end
  if #expected > VERSION then
    expected = sub(expected, 1, VERSION)
  end
  if known ~= expected then
    conflicts[#conflicts + 1] = i
  end
end
if #conflicts > 0 then
  return conflicts
end

-- A script that has written is not refused for want of memory any more.
if ARGV[2] == '1' then
  call('HDEL', KEYS[1], '')
end

-- What was put in before is written over, and what is left of it is not looked at.
local both = {}

-- Members in ARGV with what each of them has, which stands in front of it or, as a value, behind.
local function put(command, key, members, count, scores, given, ending)
  local sum = 0
  local behind = command == 'HSET'
  local is_grown = not behind and grow(key, count)
  for from = 0, count - 1, MOST do
    local to = math.min(from + MOST, count)
    local at = 0
    if ending then
      for i = from, to - 1 do
        both[at + 1] = ARGV[members + i] .. ending
        both[at + 2] = ARGV[scores + i]
        at = at + 2
      end
    elseif behind then
      for i = from, to - 1 do
        both[at + 1] = ARGV[members + i]
        both[at + 2] = ARGV[scores + i]
        at = at + 2
      end
    elseif given == 1 then
      local score = ARGV[scores]
      for i = members + from, members + to - 1 do
        both[at + 1] = score
        both[at + 2] = ARGV[i]
        at = at + 2
      end
    else
      for i = from, to - 1 do
        both[at + 1] = ARGV[scores + i]
        both[at + 2] = ARGV[members + i]
        at = at + 2
      end
    end
    sum = sum + call(command, key, unpack(both, 1, at))
  end
  if is_grown then
    shrink(key)
  end
  return sum
end

local function name(key, first, last)
  for from = first, last, MOST do
    call('SADD', key, unpack(ARGV, from, math.min(from + MOST - 1, last)))
  end
end

-- A key that holds nothing any more is gone, and a node that is giving its slot away refuses all
-- that a script says of it: in the middle, and what was written stays. So what goes in goes in
-- first, and a key that was emptied is left alone.
local gone = {}

local function size(command, key)
  return gone[key] and 0 or call(command, key)
end

local function ended(from, to, ending)
  local names = {}
  for i = from, to do
    names[i - from + 1] = ARGV[i] .. ending
  end
  return names
end

local function take(command, counted, key, first, last, ending)
  local left, sum = size(counted, key), 0
  for from = first, last, MOST do
    if left > 0 then
      local to = math.min(from + MOST - 1, last)
      local out
      if ending then
        out = call(command, key, unpack(ended(from, to, ending)))
      else
        out = call(command, key, unpack(ARGV, from, to))
      end
      left, sum = left - out, sum + out
    end
  end
  gone[key] = left == 0
  return sum
end

local IN = { set = true, ['set later'] = true, insert = true, name = true, list = true, announce = true }
local OUT = { remove = true, ['remove both'] = true, delete = true, forget = true, unlist = true, withdraw = true }

for _, round in ipairs({ IN, OUT }) do
  local at = 1 + HEAD + n + versions
  while ARGV[at] do
    local what, number, named = ARGV[at], tonumber(ARGV[at + 1]), at + 2
    local count, field = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    local given, scores = tonumber(ARGV[at + 5]), at + 6
    local key, first = KEYS[number], scores + given
    at = first + count
    if field > 0 then
      first, at = HEAD + field, first
    end
    local last = first + count - 1
    if not (IN[what] or OUT[what]) then
      return redis.error_reply('ERR unknown instruction ' .. what)
    end
    if not round[what] then
      -- It is done in the other round.
    elseif what == 'set' then
      put('HSET', key, first, count, scores, given)
    elseif what == 'set later' then
      put('HSET', key, first, count, scores, given, LATER)
    elseif what == 'remove both' then
      take('HDEL', 'HLEN', key, first, last, LATER)
      take('HDEL', 'HLEN', key, first, last)
    elseif what == 'remove' then
      take('HDEL', 'HLEN', key, first, last)
    elseif what == 'insert' then
      put('ZADD', key, first, count, scores, given)
    elseif what == 'delete' then
      take('ZREM', 'ZCARD', key, first, last)
    elseif what == 'name' then
      name(key, first, last)
    elseif what == 'forget' then
      take('SREM', 'SCARD', key, first, last)
    elseif what == 'list' then
      if put('ZADD', key, first, count, scores, given) == call('ZCARD', key) then
        name(KEYS[4], named, named)
      end
    elseif what == 'unlist' then
      take('ZREM', 'ZCARD', key, first, last)
      if size('ZCARD', key) == 0 then
        take('SREM', 'SCARD', KEYS[4], named, named)
      end
    elseif what == 'announce' then
      if put('ZADD', key, first, count, scores, given) == call('ZCARD', key) then
        name(KEYS[3], named, named)
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
