//! Faults that come from time to time, each for a while.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::stage::Stage;
use super::time::now;
use crate::history::{Actor, Fault, FaultKind, What};
use crate::plan::{Random, WorldKind};

/// How often the nodes of a cluster hear of one another.
const GOSSIP: Duration = Duration::from_millis(100);
/// When one that is not heard of is missed.
const MISSED_AFTER: Duration = Duration::from_secs(1);

/// Starts all that the plan wants.
pub fn start(stage: &Stage) {
    const TIMED: [FaultKind; 12] = [
        FaultKind::Crash,
        FaultKind::PowerFailure,
        FaultKind::Partition,
        FaultKind::Pause,
        FaultKind::ClockJump,
        FaultKind::Unavailable,
        FaultKind::Slow,
        FaultKind::ScriptsForgotten,
        FaultKind::Full,
        FaultKind::Failover,
        FaultKind::FailoverBehind,
        FaultKind::SlotMove,
    ];
    for (n, kind) in TIMED.into_iter().enumerate() {
        let mean = stage.plan.rate(kind);
        if mean > 0 {
            let random = Random::new(stage.plan.seed, 100 + n as u64);
            let chaos = Chaos {
                stage: stage.clone(),
                random,
            };
            tokio::spawn(async move { chaos.run(kind, mean).await });
        }
    }
    if stage.plan.world == WorldKind::Embedded {
        tokio::spawn(mourn(stage.clone()));
    }
    if stage.plan.cluster.is_some() {
        tokio::spawn(miss(stage.clone()));
    }
}

/// Nodes of a cluster miss one that is down for long, and serve no slot until it is back.
async fn miss(stage: Stage) {
    let mut down = Duration::ZERO;
    loop {
        sleep(GOSSIP).await;
        down = match stage.primaries().all(|node| stage.is_up(node)) {
            true => Duration::ZERO,
            false => down + GOSSIP,
        };
        stage.redis.set_down(down > MISSED_AFTER);
    }
}

/// When the power of the store's disk has failed, the store is gone too.
async fn mourn(stage: Stage) {
    loop {
        stage.disk.failed().await;
        let (kind, whom) = (FaultKind::PowerFailure, Actor::Store);
        stage
            .journal
            .write(now(), What::Fault(Fault { kind, whom }));
        stage.kill(Actor::Store);
    }
}

struct Chaos {
    stage: Stage,
    random: Random,
}

impl Chaos {
    async fn run(self, kind: FaultKind, mean: u64) {
        loop {
            sleep(Duration::from_millis(self.random.around(mean).max(1))).await;
            if self.stage.healed.load(Ordering::Relaxed) {
                return;
            }
            self.strike(kind).await;
        }
    }

    async fn strike(&self, kind: FaultKind) {
        let whom = self.victim(kind);
        if kind != FaultKind::PowerFailure {
            self.stage
                .journal
                .write(now(), What::Fault(Fault { kind, whom }));
        }
        let stage = &self.stage;
        match kind {
            FaultKind::Crash => stage.kill(whom),
            FaultKind::PowerFailure => stage.disk.fail_after(self.random.within(0..40)),
            FaultKind::Partition => self.partition(whom).await,
            FaultKind::Pause => {
                stage.pause(whom);
                self.while_healthy(self.random.within(50..9_000)).await;
                stage.resume(whom);
            }
            FaultKind::ClockJump => self.jump(whom),
            FaultKind::Unavailable => {
                stage.mood.unavailable.store(true, Ordering::Relaxed);
                self.while_healthy(self.random.within(50..6_000)).await;
                stage.mood.unavailable.store(false, Ordering::Relaxed);
            }
            FaultKind::Slow => {
                stage.mood.slow.store(true, Ordering::Relaxed);
                self.while_healthy(self.random.within(500..6_000)).await;
                stage.mood.slow.store(false, Ordering::Relaxed);
            }
            FaultKind::ScriptsForgotten => stage.redis.forget_scripts(whom),
            FaultKind::Full => {
                stage.redis.fill(whom, true);
                self.while_healthy(self.random.within(50..4_000)).await;
                stage.redis.fill(whom, false);
            }
            FaultKind::Failover => stage.redis.fail_over(whom),
            FaultKind::SlotMove => self.move_slot().await,
            FaultKind::FailoverBehind => {
                let behind = Duration::from_millis(self.random.within(10..2_000));
                stage.redis.fail_over_behind(whom, behind).await;
            }
            _ => {}
        }
    }

    /// Moves a slot of the store, sooner or later in whole: not while one of its nodes is down.
    async fn move_slot(&self) {
        let (stage, random) = (&self.stage, &self.random);
        let Some(mut moving) = stage.redis.choose_slot(random, stage.plan.partitions) else {
            return;
        };
        let pace = *random.one_of(&[2, 20, 200]);
        let mut is_done = false;
        while !is_done {
            let pace = match stage.healed.load(Ordering::Relaxed) {
                true => 1,
                false => random.within(1..2 * pace),
            };
            sleep(Duration::from_millis(pace)).await;
            if moving.nodes().into_iter().all(|node| stage.is_up(node)) {
                is_done = stage.redis.move_on(&mut moving, random);
            }
        }
    }

    /// Waits, but not beyond the heal.
    async fn while_healthy(&self, ms: u64) {
        let until = now().millis() + ms;
        while now().millis() < until && !self.stage.healed.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn victim(&self, kind: FaultKind) -> Actor {
        let nodes_only = kind == FaultKind::ClockJump;
        let store_survives = matches!(self.stage.plan.world, WorldKind::Memory | WorldKind::Sqs);
        let cast: Vec<Actor> = self
            .stage
            .cast()
            .into_iter()
            .filter(|actor| match actor {
                Actor::Node(_) => true,
                Actor::Worker(_) => !nodes_only,
                // What it holds is in memory, and is to survive.
                Actor::Store | Actor::Shard(_) => {
                    !nodes_only && (kind != FaultKind::Crash || !store_survives)
                }
                Actor::Queue => !nodes_only && kind != FaultKind::Crash,
                Actor::Client(_) => false,
            })
            .collect();
        match kind {
            FaultKind::Unavailable
            | FaultKind::Slow
            | FaultKind::PowerFailure
            | FaultKind::SlotMove => Actor::Store,
            FaultKind::ScriptsForgotten
            | FaultKind::Full
            | FaultKind::Failover
            | FaultKind::FailoverBehind => {
                let primaries: Vec<_> = self.stage.primaries().collect();
                match primaries.as_slice() {
                    [only] => *only,
                    several => *self.random.one_of(several),
                }
            }
            _ => *self.random.one_of(&cast),
        }
    }

    /// Cuts somebody off: from all or from some, in both directions or in one; all at once, or
    /// one after the other.
    async fn partition(&self, whom: Actor) {
        let (random, net) = (&self.random, &self.stage.net);
        let clients = (0..self.stage.plan.clients).map(Actor::Client);
        let others = self.stage.cast().into_iter().chain(clients);
        let isolated = random.percent(50);
        let others: Vec<_> = others
            .filter(|other| *other != whom && (isolated || random.percent(50)))
            .collect();
        let (there, back) =
            *random.one_of(&[(true, true), (true, true), (true, false), (false, true)]);
        let swizzled = random.percent(30);
        for other in &others {
            if there {
                net.cut(whom, *other);
            }
            if back {
                net.cut(*other, whom);
            }
            if swizzled {
                self.while_healthy(random.within(1..200)).await;
            }
        }
        self.while_healthy(random.within(100..8_000)).await;
        for other in others {
            if swizzled {
                self.while_healthy(random.within(1..200)).await;
            }
            net.mend(whom, other);
            net.mend(other, whom);
        }
    }

    /// A jump within the bound, unless the plan is to break it.
    fn jump(&self, whom: Actor) {
        let plan = &self.stage.plan;
        let most = match plan.clocks_within_bound() {
            true => plan.max_clock_skew_ms / 4,
            false => plan.max_clock_skew_ms + 5_000,
        };
        if let Actor::Node(n) = whom {
            let offset = self.random.within(0..2 * most + 1) as i64 - most as i64;
            self.stage.clocks[usize::from(n)].step_to(offset);
        }
    }
}
