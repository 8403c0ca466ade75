-- Begins a new epoch of a partition unless the server is the one that the last began on and
-- has not gone back since. All but the first follow the server's clock: an epoch that no server and
-- no node remembers was begun earlier, and is a lower one.
-- KEYS: meta. ARGV: the server's run id and replication id, the highest epoch that the caller has
-- seen (-1: none), the second from which epochs are counted, how many there are for each, and which
-- of them is the server's; '1' when another node still has the slot, and this one is asked for what
-- was moved.
-- Returns the epoch, and 1 if there was one before.
local call = redis.call

local known = call('HMGET', KEYS[1], 'run_id', 'epoch')
-- A request that was under way for long may come when the slot is moved once more: what the other
-- node has must not be made here as well.
if ARGV[6] == '1' and not known[2] then
  return redis.error_reply('TRYAGAIN the partition is being moved')
end
local epoch, seen = tonumber(known[2] or '-1'), tonumber(ARGV[2])
if known[1] == ARGV[1] and epoch >= seen then
  return { known[2], 1 }
end
epoch = math.max(epoch, seen) + 1
if epoch > 0 then
  epoch = math.max(epoch, (call('TIME')[1] - ARGV[3]) * ARGV[4])
  epoch = epoch + (ARGV[5] - epoch) % ARGV[4]
end
epoch = string.format('%.0f', epoch)
-- A script that has written is not refused for want of memory any more.
call('HDEL', KEYS[1], '')
call('HSET', KEYS[1], 'run_id', ARGV[1], 'epoch', epoch)
return { epoch, known[2] and 1 or 0 }
