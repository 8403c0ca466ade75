//! The least that a task life asks of a Redis server: what it would cost without states to list
//! by, priorities, leases that are waited for, and everything else that makes it a task.

use redis::aio::MultiplexedConnection;
use redis::{Script, ScriptInvocation};

use super::BATCH;
use super::server::Server;
use crate::bench::Measured;

/// Bytes of a record.
const RECORD: usize = 300;
/// Bytes of it that are compared before it is written over.
const VERSION: usize = 8;

/// Writes records that are not there yet, and puts them in line.
/// KEYS: records, ready. ARGV: how many, the ids, then of each its id and its record, then of
/// each its score and its id.
const SUBMIT: &str = r"
local n = tonumber(ARGV[1])
for _, known in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV, 2, 1 + n))) do
  if known then return 0 end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2 + n, 1 + 3 * n))
return redis.call('ZADD', KEYS[2], unpack(ARGV, 2 + 3 * n, 1 + 5 * n))";

/// Takes the first ones, and returns their ids and records.
/// KEYS: records, ready, taken. ARGV: how many, until when they are taken.
const TAKE: &str = r"
local taken = redis.call('ZPOPMIN', KEYS[2], ARGV[1])
local ids, places = {}, {}
for i = 1, #taken, 2 do
  ids[#ids + 1] = taken[i]
  places[#places + 1] = ARGV[2]
  places[#places + 1] = taken[i]
end
redis.call('ZADD', KEYS[3], unpack(places))
return { ids, redis.call('HMGET', KEYS[1], unpack(ids)) }";

/// Writes over records that are as expected, and notes each in one sorted set and not in another.
/// KEYS: records, into, out of. ARGV: how many, the ids, what each record begins with, then of
/// each its id and its record, then of each its score and its id.
const REPLACE: &str = r"
local n = tonumber(ARGV[1])
local known = redis.call('HMGET', KEYS[1], unpack(ARGV, 2, 1 + n))
for i = 1, n do
  if string.sub(known[i] or '', 1, 8) ~= ARGV[1 + n + i] then return 0 end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2 + 2 * n, 1 + 4 * n))
redis.call('ZADD', KEYS[2], unpack(ARGV, 2 + 4 * n, 1 + 6 * n))
return redis.call('ZREM', KEYS[3], unpack(ARGV, 2, 1 + n))";

type Ids = Vec<Vec<u8>>;

/// Such lives, on names of their own.
pub(super) struct Bare {
    connection: MultiplexedConnection,
    submit: Script,
    take: Script,
    replace: Script,
    names: [String; 5],
    /// How many batches have lived.
    batches: usize,
}

impl Bare {
    pub(super) fn new(server: &Server) -> Self {
        let slot = server.prefix("bare");
        let name = |name| format!("{{{slot}}}:{name}");
        let [submit, take, replace] = [SUBMIT, TAKE, REPLACE].map(Script::new);
        Self {
            connection: server.connection(),
            submit,
            take,
            replace,
            names: ["records", "ready", "taken", "running", "done"].map(name),
            batches: 0,
        }
    }

    /// The lives of so many batches.
    pub(super) async fn live(&mut self, batches: usize) -> Measured<()> {
        for _ in 0..batches {
            self.live_once().await?;
            self.batches += 1;
        }
        Ok(())
    }

    async fn live_once(&mut self) -> Measured<()> {
        let batch = self.batches;
        let [records, ready, taken, running, done] = &self.names;
        let connection = &mut self.connection;
        let ids: Ids = (0..BATCH).map(|at| id(batch * BATCH + at)).collect();
        let mut call = self.submit.prepare_invoke();
        call.key(records).key(ready).arg(BATCH).arg(&ids);
        write(&mut call, &ids, b'a', batch);
        let () = call.invoke_async(connection).await?;
        let mut call = self.take.prepare_invoke();
        call.key(records).key(ready).key(taken);
        call.arg(BATCH).arg(batch);
        let (ids, _): (Ids, Ids) = call.invoke_async(connection).await?;
        for (from, version, into, out) in
            [(b'a', b'b', running, taken), (b'b', b'c', done, running)]
        {
            let mut call = self.replace.prepare_invoke();
            call.key(records).key(into).key(out).arg(BATCH).arg(&ids);
            for _ in &ids {
                call.arg(&[from; VERSION][..]);
            }
            write(&mut call, &ids, version, batch);
            let () = call.invoke_async(connection).await?;
        }
        Ok(())
    }
}

/// An id of the length that those of tasks have.
fn id(number: usize) -> Vec<u8> {
    let mut id = vec![0; 6];
    id.extend((number as u64).to_be_bytes());
    id
}

/// Of each its id and its record, then of each its score and its id.
fn write(call: &mut ScriptInvocation<'_>, ids: &Ids, version: u8, score: usize) {
    for id in ids {
        call.arg(id).arg(&[version; RECORD][..]);
    }
    for id in ids {
        call.arg(score).arg(id);
    }
}
