//! What a task costs a Redis server: processor time per life, at several batch sizes, and
//! memory per pending task. `redis_speed [TASKS] [redis6|redis7|valkey9] [ARGUMENT ...]`; the
//! arguments go to the server, such as `--appendonly yes`.
//!
//! A life is a submission, a delivery, the commit of a lease and of a completion, with the loads
//! that the engine makes before the last two. Batches follow one another, and are not shared.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russet_backends::redis::{Redis, RedisOptions};
use russet_core::{
    Dedup, Epoch, IdempotencyKey, Lane, Named, PartitionId, QueueName, Record, RecordKey,
    Resources, Status, Task, TaskId, Timestamp, Window,
};
use russet_engine::{Change, Outcome, Queue, Store, SystemClock, Transaction, Version, Versioned};
use russet_servers::{RedisServer, RedisVersion};

#[allow(dead_code)]
#[path = "shared/tasks.rs"]
mod tasks;

const FIRST: PartitionId = PartitionId(0);
const PAYLOAD: usize = 256;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let version = match arguments.next().as_deref() {
        None | Some("redis7") => RedisVersion::Redis7,
        Some("redis6") => RedisVersion::Redis6,
        Some("valkey9") => RedisVersion::Valkey9,
        Some(other) => return Err(format!("no such server: {other}").into()),
    };
    let rest: Vec<String> = arguments.collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let server = RedisServer::start_with(version, &rest);
    println!("{version:?} {}", rest.join(" "));
    for with_key in [false, true] {
        pending(&server, count, with_key).await?;
    }
    for batch in [1, 10, 100, 1_000] {
        let count = count.min(batch * 2_000);
        yardstick(&server, count, batch).await?;
        lives(&server, count, batch).await?;
    }
    Ok(())
}

/// Submits tasks, and tells how much memory they take.
async fn pending(server: &RedisServer, count: usize, with_key: bool) -> Result<(), Box<dyn Error>> {
    let prefix = format!("pending-{with_key}");
    let store = open(server, &prefix).await?;
    let before = used_memory(server)?;
    for from in (0..count).step_by(100) {
        submit(&store, from, 100, with_key).await?;
    }
    let used = used_memory(server)? - before;
    let keys = if with_key { "an" } else { "no" };
    println!(
        "{} bytes per pending task with {PAYLOAD} bytes of payload and {keys} idempotency key",
        used / count as u64
    );
    Ok(())
}

/// Has tasks live, a batch after the other; what has ended stays until all have.
async fn lives(server: &RedisServer, count: usize, batch: usize) -> Result<(), Box<dyn Error>> {
    let store = open(server, &format!("lives-{batch}")).await?;
    let lanes = [Lane {
        queue: QueueName::new("emails")?,
        resources: Resources::NONE,
    }];
    let hidden = Duration::from_secs(10);
    let due = |from: usize, ms| Some(Timestamp::from_millis(2_000_000_000_000 + from as u64 + ms));
    let mut ended: Vec<TaskId> = Vec::with_capacity(count);
    let (before, start) = (used_processor(server)?, Instant::now());
    for from in (0..count).step_by(batch) {
        submit(&store, from, batch, false).await?;
        let received = store.receive(&lanes, batch, hidden, hidden).await?;
        assert_eq!(received.len(), batch);
        let ids: Vec<TaskId> = received.iter().map(|delivery| delivery.task).collect();
        for (n, status) in [Status::Running, Status::Succeeded].into_iter().enumerate() {
            change(&store, &ids, |task| {
                task.status = status;
                task.due_at = due(from, n as u64);
                true
            })
            .await?;
        }
        ended.extend(ids);
    }
    let (lived, took) = (used_processor(server)?, start.elapsed());
    for ids in ended.chunks(batch) {
        change(&store, ids, |_| false).await?;
    }
    let removed = used_processor(server)?;
    let micros = |seconds: f64| seconds * 1e6 / count as f64;
    println!(
        "{:.1} µs of the server's processor per life at batches of {batch}, and {:.1} µs to remove \
         the task later ({:.0} lives/s)",
        micros(lived - before),
        micros(removed - lived),
        count as f64 / took.as_secs_f64()
    );
    Ok(())
}

/// What the same steps cost at least: records of 300 bytes, a hash for idempotency keys, and
/// no listings, counters, lanes, epochs or wake-ups.
async fn yardstick(server: &RedisServer, count: usize, batch: usize) -> Result<(), Box<dyn Error>> {
    const SUBMIT: &str = "local i, u, t, r = {}, {}, {}, {} for n = 1, #ARGV, 3 do \
        i[#i+1] = ARGV[n] u[#u+1] = ARGV[n] u[#u+1] = ARGV[n+1] t[#t+1] = ARGV[n+1] \
        t[#t+1] = ARGV[n+2] r[#r+1] = n r[#r+1] = ARGV[n+1] end \
        redis.call('HMGET', KEYS[1], unpack(i)) redis.call('HSET', KEYS[1], unpack(u)) \
        redis.call('HSET', KEYS[2], unpack(t)) redis.call('ZADD', KEYS[3], unpack(r))";
    const RECEIVE: &str = "local p = redis.call('ZPOPMIN', KEYS[3], ARGV[1]) local i, h = {}, {} \
        for n = 1, #p, 2 do i[#i+1] = p[n] h[n] = 1 h[n+1] = p[n] end \
        redis.call('ZADD', KEYS[4], unpack(h)) return redis.call('HMGET', KEYS[2], unpack(i))";
    const LEASE: &str = "local i, t, z = {}, {}, {} for n = 1, #ARGV, 2 do i[#i+1] = ARGV[n] \
        t[n] = ARGV[n] t[n+1] = ARGV[n+1] z[n] = 2 z[n+1] = ARGV[n] end \
        local o = redis.call('HMGET', KEYS[2], unpack(i)) for n = 1, #o do \
        if string.sub(o[n], 1, 8) == '' then return 0 end end \
        redis.call('HSET', KEYS[2], unpack(t)) redis.call('ZADD', KEYS[4], unpack(z))";
    const FINISH: &str = "local i, t, z = {}, {}, {} for n = 1, #ARGV, 2 do i[#i+1] = ARGV[n] \
        t[n] = ARGV[n] t[n+1] = ARGV[n+1] z[n] = 3 z[n+1] = ARGV[n] end \
        local o = redis.call('HMGET', KEYS[2], unpack(i)) for n = 1, #o do \
        if string.sub(o[n], 1, 8) == '' then return 0 end end \
        redis.call('HSET', KEYS[2], unpack(t)) redis.call('ZREM', KEYS[4], unpack(i)) \
        redis.call('ZADD', KEYS[5], unpack(z))";
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let scripts = [SUBMIT, RECEIVE, LEASE, FINISH].map(redis::Script::new);
    let record = [7u8; 300];
    let before = used_processor(server)?;
    for from in (0..count).step_by(batch) {
        let id = |n: usize| (n as u128).to_be_bytes().to_vec();
        for (step, script) in scripts.iter().enumerate() {
            let mut call = script.prepare_invoke();
            for key in ["u", "t", "r", "i", "d"] {
                call.key(format!("{{bare-{batch}}}{key}"));
            }
            match step {
                0 => (from..from + batch).for_each(|n| {
                    call.arg(format!("{n:016}")).arg(id(n)).arg(&record[..]);
                }),
                1 => drop(call.arg(batch)),
                _ => (from..from + batch).for_each(|n| {
                    call.arg(id(n)).arg(&record[..]);
                }),
            }
            let _: redis::Value = call.invoke_async(&mut connection).await?;
        }
    }
    println!(
        "{:.1} µs for a yardstick without indexes at batches of {batch}",
        (used_processor(server)? - before) * 1e6 / count as f64
    );
    Ok(())
}

async fn open(server: &RedisServer, prefix: &str) -> Result<Arc<Redis>, Box<dyn Error>> {
    let mut options = RedisOptions::new(server.url());
    options.prefix = prefix.to_owned();
    Ok(Redis::open(options, Arc::new(SystemClock)).await?)
}

async fn submit(
    store: &Redis,
    from: usize,
    batch: usize,
    with_key: bool,
) -> Result<(), Box<dyn Error>> {
    let transactions = (from..from + batch).map(|n| {
        let task = tasks::queued(n as u64, PAYLOAD);
        let mut changes = Vec::new();
        if with_key {
            let dedup = Dedup {
                named: Named::Task(task.id),
                request: u128::from(u64::MAX) * n as u128,
                window: Window::WhileLive,
                created_at: task.created_at,
            };
            let key = IdempotencyKey::new(format!("order-{n:012}")).ok();
            changes.extend(key.map(|key| Change {
                key: RecordKey::Dedup(key),
                before: None,
                after: Some(Record::Dedup(dedup.into())),
            }));
        }
        changes.push(Change {
            key: RecordKey::Task(task.id),
            before: None,
            after: Some(Record::Task(Arc::new(task))),
        });
        Transaction {
            epoch: Epoch::default(),
            version: Version(n as u64),
            changes,
        }
    });
    let outcomes = store.commit(FIRST, transactions.collect()).await?;
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(())
}

/// Loads tasks and changes them; those of which `edit` says no are removed.
async fn change(
    store: &Redis,
    ids: &[TaskId],
    mut edit: impl FnMut(&mut Task) -> bool,
) -> Result<(), Box<dyn Error>> {
    let keys: Vec<_> = ids.iter().map(|id| RecordKey::Task(*id)).collect();
    let loaded = store.get(FIRST, &keys).await?;
    let transactions = keys.into_iter().zip(loaded).filter_map(|(key, before)| {
        let before: Versioned = before?;
        let Record::Task(task) = &before.record else {
            return None;
        };
        let mut after = (**task).clone();
        let after = edit(&mut after).then(|| Record::Task(Arc::new(after)));
        Some(Transaction {
            epoch: Epoch::default(),
            version: Version(before.version.0.wrapping_mul(31).wrapping_add(7)),
            changes: vec![Change {
                key,
                before: Some(before),
                after,
            }],
        })
    });
    let outcomes = store.commit(FIRST, transactions.collect()).await?;
    assert!(outcomes.iter().all(|o| *o == Outcome::Committed));
    Ok(())
}

fn used_memory(server: &RedisServer) -> Result<u64, Box<dyn Error>> {
    Ok(server.info("used_memory")?.parse()?)
}

/// Seconds that the server has worked.
fn used_processor(server: &RedisServer) -> Result<f64, Box<dyn Error>> {
    let [user, sys] = ["used_cpu_user", "used_cpu_sys"].map(|name| server.info(name));
    Ok(user?.parse::<f64>()? + sys?.parse::<f64>()?)
}
