//! The world under madsim: builds it from a plan, lets it run, heals it, and waits until
//! everything has ended.

mod aws;
mod chaos;
mod client;
mod deliveries;
mod disk;
mod ledger;
mod net;
mod node;
mod node_store;
mod protocol;
mod redis;
mod remote;
mod server;
mod spelling;
mod stage;
mod time;
mod transport;
mod wire;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use madsim::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub use worker::PLANNED_PANIC;

use crate::history::{Actor, At, Entry, What};
use crate::plan::{Plan, Random, WorldKind};
use client::{Caller, Known};
use stage::Stage;
use time::now;

/// How often everything that the store says of itself is looked at; through the SDK of AWS that
/// takes a hundred times as long as elsewhere.
const fn look_every(world: WorldKind) -> Duration {
    match world {
        WorldKind::Sqs => Duration::from_secs(20),
        _ => Duration::from_secs(5),
    }
}

/// How long something that was sent may still be on its way.
const LAST_ARRIVALS: Duration = Duration::from_secs(12);

/// What became of a run.
pub struct Outcome {
    /// Everything that happened.
    pub entries: Vec<Entry>,
    /// When the world was healed.
    pub healed: At,
    /// When it ended.
    pub ended: At,
}

/// Runs a plan. To be called once in a process, on a fresh thread.
pub fn run(plan: &Plan) -> Outcome {
    let runtime = Runtime::with_seed_and_config(plan.seed, madsim::Config::default());
    runtime.block_on(live(Arc::new(plan.clone())))
}

async fn live(plan: Arc<Plan>) -> Outcome {
    let stage = Stage::new(plan.clone());
    stage.start_everybody();
    chaos::start(&stage);
    let looking = tokio::spawn(look_around(stage.clone()));
    let clients = start_clients(&stage);
    sleep(Duration::from_millis(plan.chaos_ms)).await;
    stage.heal();
    let healed = now();
    stage.journal.write(healed, What::Healed);
    let calming = tokio::spawn(calm(stage.clone(), clients));
    let deadline = At(healed.0 + plan.drain_ms * 1_000);
    let mut busy = true;
    while busy && now() < deadline {
        sleep(Duration::from_millis(500)).await;
        busy = !calming.is_finished() || stage.ledger.live() > 0;
    }
    looking.abort();
    stage.look().await;
    Outcome {
        entries: stage.journal.take(),
        healed,
        ended: now(),
    }
}

/// When all clients have done their steps, and what they sent has arrived, every queue is
/// resumed and its limit lifted.
async fn calm(stage: Stage, clients: Vec<JoinHandle<()>>) {
    for client in clients {
        // One that panicked ends the run anyway.
        let _ = client.await;
    }
    sleep(LAST_ARRIVALS).await;
    let caller = caller(&stage, stage.plan.clients, &Known::default());
    client::calm(caller, stage.queues()).await;
}

async fn look_around(stage: Stage) {
    loop {
        sleep(look_every(stage.plan.world)).await;
        stage.look().await;
    }
}

fn caller(stage: &Stage, n: u8, known: &Known) -> Caller {
    let purpose = 1_000 + u64::from(n);
    let own = Actor::Client(n);
    Caller {
        client: stage.client(own, purpose),
        known: known.clone(),
        random: Arc::new(Random::new(stage.plan.seed, purpose + 500)),
        partitions: stage.plan.partitions,
    }
}

/// Starts the steps of all clients, each at its time; they go on side by side.
fn start_clients(stage: &Stage) -> Vec<JoinHandle<()>> {
    let known = Known::default();
    let callers: Vec<_> = (0..stage.plan.clients)
        .map(|n| caller(stage, n, &known))
        .collect();
    let steps = stage.plan.steps.iter().enumerate().map(|(at, step)| {
        let caller = callers[usize::from(step.client % stage.plan.clients)].clone();
        let step = step.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(step.at_ms)).await;
            caller.step(at, &step).await;
        })
    });
    steps.collect()
}

impl Stage {
    /// Ends all faults but those that are to stay.
    fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.net.heal();
        self.mood.heal();
        self.disk.stay();
        self.start_everybody();
    }
}
