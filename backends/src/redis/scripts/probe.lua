-- Tries every command that the scripts use, and HSETNX, by which a store is made. Returns those
-- that failed, each followed by why.
-- KEYS: three that hold nothing. ARGV: channel.
local failed = {}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    failed[#failed + 1] = (...)
    failed[#failed + 1] = reply.err
  end
end
local hash, sorted, set = KEYS[1], KEYS[2], KEYS[3]
-- A script that has written is not refused for want of memory any more.
try('HDEL', hash, '')
try('HSET', hash, 'a', '1')
try('HSETNX', hash, 'b', '1')
try('HGET', hash, 'a')
try('HMGET', hash, 'a')
try('HLEN', hash)
try('HDEL', hash, 'a', 'b')
try('ZADD', sorted, 1, 'a', 2, 'b')
try('ZCARD', sorted)
try('ZCOUNT', sorted, 1, 2)
try('ZSCORE', sorted, 'a')
try('ZRANGE', sorted, 0, 1)
try('ZREVRANGEBYSCORE', sorted, 2, 1)
try('ZRANGEBYSCORE', sorted, 1, 2)
try('ZRANGEBYLEX', sorted, '-', '+')
try('ZREVRANGEBYLEX', sorted, '+', '-')
try('ZREM', sorted, 'a')
try('ZREMRANGEBYRANK', sorted, 0, 0)
try('SADD', set, 'a')
try('SCARD', set)
try('SMEMBERS', set)
try('SREM', set, 'a')
try('EXISTS', hash)
try('TIME')
try('PUBLISH', ARGV[1], '')
return failed
