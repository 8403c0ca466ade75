//! `russet serve` is killed over and over under load, and keeps what it promised.

mod account;
mod history;
mod producers;
mod promises;
mod timers;
mod workers;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use account::Account;
use russet_tests::{Address, Chance, Process, Serve, Settings, eventually, listens_on};
use serde_json::{Value, json};
use world::{Caller, World};

/// Kills under load, each of a server that is up; some are killed again before they are up.
const KILLS: u64 = 50;
/// How long a server lives at least, and how much longer at most, in milliseconds.
const LIFE_MS: (u64, u64) = (50, 250);
const PRODUCERS: usize = 4;
const WORKERS: usize = 6;
/// Tasks that may be submitted in one life of the server.
const TASKS_PER_LIFE: u64 = 65;
/// How many tasks of the limited queue may run at once.
const LIMIT: usize = 2;

#[test]
fn no_loss_and_no_ghost_and_one_holder_and_stale_refused_and_bounded_retry_and_dead_once_and_dedup_and_order_and_limits_held_while_serve_is_killed()
 {
    all_is_kept(1, KILLS);
}

#[test]
fn no_loss_and_dedup_and_order_and_limits_held_over_several_partitions_while_serve_is_killed() {
    all_is_kept(3, KILLS / 2);
}

fn all_is_kept(partitions: u16, least: u64) {
    let seed = Chance::seed_from("RUSSET_CRASH_SEED");
    let start = Instant::now();
    let folder = tempfile::tempdir().expect("makes a folder");
    let settings = Settings {
        partitions,
        ..Settings::new(env!("CARGO_BIN_EXE_russet-under-test"), folder.path())
    };
    let server = settings.start();
    let world = World::new(server.address.clone(), partitions);
    let limit = json!({"concurrency": LIMIT});
    let path = format!("/v1/queues/{}", producers::QUEUES[2]);
    world.caller().surely("PATCH", &path, &limit).reply.good();

    let world = &world;
    let (last, kills) = thread::scope(|scope| {
        for name in 0..PRODUCERS {
            let chance = Chance::part(seed, name as u64);
            scope.spawn(move || guarded(world, || producers::produce(world, name, chance)));
        }
        for name in 0..WORKERS {
            let chance = Chance::part(seed, 100 + name as u64);
            scope.spawn(move || guarded(world, || workers::work(world, name, chance)));
        }
        let killed = guarded(world, || {
            kill_over_and_over(world, &settings, server, (seed, least))
        });
        world.draining.store(true, Ordering::SeqCst);
        guarded(world, || drain(&mut world.caller()));
        world.over.store(true, Ordering::SeqCst);
        killed
    });
    let killed_after = start.elapsed();
    assert!(kills >= least, "only {kills} kills");

    let tasks = everything(&mut world.caller());
    {
        let history = world.history();
        let account = Account {
            history: &history,
            tasks: &tasks,
        };
        account.no_loss();
        account.no_ghost();
        account.one_holder();
        account.stale_refused();
        account.bounded_retry();
        account.dead_once();
        account.dedup();
        account.order();
        account.limits_held(LIMIT);
        println!(
            "{kills} kills, {} tasks, {} acknowledgements, {} leases, {} reports, {:?} of {:?}",
            tasks.len(),
            history.acknowledged.len(),
            history.leases.len(),
            history.reports.len(),
            killed_after,
            start.elapsed(),
        );
    }
    every_key_still_names_its_task(world);
    drop(last);
}

/// A part of the test that fails ends the whole test, instead of leaving it waiting.
fn guarded<T>(world: &Arc<World>, part: impl FnOnce() -> T) -> T {
    struct Guard<'a>(&'a World);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.draining.store(true, Ordering::SeqCst);
                self.0.over.store(true, Ordering::SeqCst);
            }
        }
    }
    let _guard = Guard(world);
    part()
}

/// Kills and restarts; returns the last server and how many servers were killed.
fn kill_over_and_over(
    world: &World,
    settings: &Settings,
    first: Serve,
    (seed, lives): (u64, u64),
) -> (Serve, u64) {
    let mut chance = Chance::part(seed, 1_000);
    let (mut server, mut kills) = (first, 0);
    for life in 0..lives {
        world.allowed.fetch_add(TASKS_PER_LIFE, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(LIFE_MS.0 + chance.below(LIFE_MS.1)));
        assert!(
            kill(&mut server.process),
            "the server of life {life} ended by itself"
        );
        kills += 1;
        // Some are killed again before they are up.
        while chance.happens(20) {
            let mut process = settings.spawn();
            thread::sleep(Duration::from_millis(chance.below(120)));
            kills += u64::from(kill(&mut process));
        }
        assert!(
            !world.over.load(Ordering::SeqCst),
            "a part of the test failed in life {life}"
        );
        server = restart(settings, &world.address);
    }
    (server, kills)
}

/// Whether the server was alive until then.
fn kill(process: &mut Process) -> bool {
    let killed = process.kill();
    let said = process.said();
    assert!(!said.contains("panicked"), "the server panicked:\n{said}");
    killed
}

/// Starts a server in the place of one that is gone.
pub fn restart(settings: &Settings, address: &Address) -> Serve {
    let mut process = settings.spawn();
    address.set(process.says("where it listens", listens_on));
    Serve {
        process,
        address: address.clone(),
    }
}

/// Waits until nothing is left to do.
fn drain(caller: &mut Caller) {
    let live = ["blocked", "scheduled", "queued", "running"];
    eventually("all tasks end", || {
        let queues = caller
            .surely("GET", "/v1/queues", &Value::Null)
            .reply
            .good();
        let queues = queues["queues"].as_array().expect("lists queues").clone();
        let count = |queue: &Value, status: &&str| queue["counts"][*status].as_u64().unwrap_or(0);
        let left = queues
            .iter()
            .map(|queue| live.iter().map(|s| count(queue, s)).sum::<u64>());
        (left.sum::<u64>() == 0).then_some(())
    });
}

/// Every task that the server has, by id.
fn everything(caller: &mut Caller) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut path = "/v1/tasks?limit=1000".to_owned();
    loop {
        let page = caller.surely("GET", &path, &Value::Null).reply.good();
        for task in page["items"].as_array().expect("is a page") {
            let id = task["id"].as_str().expect("has an id").to_owned();
            assert!(
                all.insert(id, task.clone()).is_none(),
                "{task} is listed twice"
            );
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/tasks?limit=1000&after={next}"),
            None => return all,
        }
    }
}

/// After all that, each key is known, and means what it meant.
fn every_key_still_names_its_task(world: &Arc<World>) {
    let mut caller = world.caller();
    let (acknowledged, intents) = {
        let history = world.history();
        (history.acknowledged.clone(), history.intents.clone())
    };
    let ids: BTreeMap<_, _> = acknowledged.into_iter().collect();
    let keyed = intents.iter().filter(|(_, intent)| intent.key.is_some());
    for (at, (label, intent)) in keyed.enumerate() {
        let reply = caller
            .surely("POST", "/v1/tasks", &intent.body)
            .reply
            .good();
        assert_eq!(reply["existing"], json!(true), "{label}: {reply}");
        assert_eq!(
            reply["task"].as_str(),
            ids.get(label).map(String::as_str),
            "{label}"
        );
        if at % 50 == 0 {
            let mut other = intent.body.clone();
            other["payload"] = json!("something else");
            let refused = caller.surely("POST", "/v1/tasks", &other).reply;
            assert_eq!(
                (refused.status, &*refused.code()),
                (409, "idempotency_conflict")
            );
        }
    }
}
