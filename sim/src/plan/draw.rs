//! Draws a plan: which faults there are, how often, and which work is done. Some seeds have no
//! fault at all, some only one.

use std::collections::BTreeMap;

use super::{ClockPlan, Plan, Random, WorkerPlan, WorldKind, tasks};
use crate::history::FaultKind;

const NODES: std::ops::Range<u64> = 3..6;
const CHAOS_MS: u64 = 20_000;
/// Of a hundred stores in Redis so many are clusters.
const CLUSTERS: u64 = 30;
/// And of a hundred of these so many move slots.
const SLOTS_MOVE: u64 = 80;
const DRAIN_MS: u64 = 600_000;
/// A message that a queue has lost, or that one partition alone has forgotten, is missed by a
/// watchdog, which takes its time.
const DRAIN_WATCHED_MS: u64 = 2_400_000;

pub(super) fn plan(world: WorldKind, seed: u64) -> Plan {
    let random = Random::new(seed, 1);
    let mut faults = faults(world, &random);
    let goes_back = faults.contains_key(&FaultKind::FailoverBehind);
    let acknowledged_by_replica = goes_back && Random::new(seed, 13).percent(50);
    let cluster = match world {
        WorldKind::Redis | WorldKind::SqsRedis => cluster(&Random::new(seed, 11), &mut faults),
        _ => None,
    };
    let split = match (random.percent(25), world) {
        (_, WorldKind::Redis) => false,
        (_, WorldKind::Sqs | WorldKind::SqsRedis) => true,
        (split, _) => split,
    };
    let max_clock_skew_ms = *random.one_of(&[0, 50, 500, 2_000]);
    let nodes = random.within(NODES);
    let queues = random.within(1..4) as u8;
    let partitions = random.within(1..4) as u16;
    let workers = (0..random.within(2..5)).map(|n| worker(&random, n, queues));
    let workers: Vec<_> = workers.collect();
    let clients = random.within(2..5) as u8;
    let transaction_changes = random.percent(20).then(|| random.within(20..60) as usize);
    let weights = Random::new(seed, 12);
    let transaction_bytes = weights
        .percent(15)
        .then(|| weights.within(40_000..120_000) as usize);
    Plan {
        seed,
        world,
        partitions,
        split,
        cluster,
        acknowledged_by_replica,
        transaction_changes,
        transaction_bytes,
        far: match world {
            WorldKind::Memory | WorldKind::Embedded => Random::new(seed, 10).percent(50),
            WorldKind::Redis | WorldKind::Sqs | WorldKind::SqsRedis => true,
        },
        max_clock_skew_ms,
        clocks: (0..nodes)
            .map(|_| clock(&random, &faults, max_clock_skew_ms))
            .collect(),
        workers,
        clients,
        chaos_ms: CHAOS_MS,
        drain_ms: match split || cluster.is_some() && goes_back && !acknowledged_by_replica {
            true => DRAIN_WATCHED_MS,
            false => DRAIN_MS,
        },
        broken: random.within(0..nodes / 2 + 1) as u8,
        latency_us: *random.one_of(&[(1_000, 1_500), (1_000, 4_000), (1_000, 30_000)]),
        steps: tasks::steps(
            &Random::new(seed, 2),
            [&Random::new(seed, 14), &Random::new(seed, 15)],
            queues,
            clients,
            CHAOS_MS,
        ),
        faults,
    }
}

/// Whether the store is a cluster, whose slots may be moved then; not where a primary may go back:
/// what it has forgotten, and what it was being given, is not told apart.
fn cluster(random: &Random, faults: &mut BTreeMap<FaultKind, u64>) -> Option<u8> {
    if !random.percent(CLUSTERS) {
        return None;
    }
    let goes_back = faults.contains_key(&FaultKind::FailoverBehind);
    if !goes_back && random.percent(SLOTS_MOVE) {
        let (least, most) = rates(FaultKind::SlotMove);
        faults.insert(FaultKind::SlotMove, random.within(least..most + 1));
    }
    Some(*random.one_of(&[2, 3]))
}

/// Each node's clock stays within half the bound of the true time, so that no two are further
/// apart than the bound; unless the plan is to break it.
fn clock(random: &Random, faults: &BTreeMap<FaultKind, u64>, skew_ms: u64) -> ClockPlan {
    let most = match faults.contains_key(&FaultKind::ClockBeyond) {
        true => skew_ms as i64 + 5_000,
        false => skew_ms as i64 / 4,
    };
    let offset_ms = random.within(0..(2 * most + 1) as u64) as i64 - most;
    let drifts = faults.contains_key(&FaultKind::ClockDrift);
    let drift_ppm = match drifts && most > 0 {
        true => random.within(0..401) as i64 - 200,
        false => 0,
    };
    ClockPlan {
        offset_ms,
        drift_ppm,
    }
}

fn worker(random: &Random, n: u64, queues: u8) -> WorkerPlan {
    let all: Vec<u8> = (0..queues).collect();
    // The first worker serves all queues and everything fits into it, so that all work can end.
    let queues = match n == 0 || random.percent(50) {
        true => all,
        false => vec![*random.one_of(&all)],
    };
    let cpu = match n {
        0 => *random.one_of(&[None, Some(8)]),
        _ => *random.one_of(&[None, Some(1), Some(4)]),
    };
    WorkerPlan {
        queues,
        concurrency: random.within(if n == 0 { 4..9 } else { 1..9 }) as usize,
        cpu,
        lease_ms: *random.one_of(&[None, None, None, Some(3_000)]),
    }
}

/// How often a fault happens when it is on: at the least and at the most.
fn rates(kind: FaultKind) -> (u64, u64) {
    match kind {
        FaultKind::RequestLost | FaultKind::ReplyLost => (500, 40_000),
        FaultKind::Duplicated | FaultKind::Delayed => (1_000, 60_000),
        FaultKind::CrashAfterCommit => (500, 40_000),
        FaultKind::Throttled | FaultKind::PartialBatch => (1_000, 50_000),
        FaultKind::MessageLost | FaultKind::MessageDuplicated => (10_000, 200_000),
        FaultKind::Crash | FaultKind::PowerFailure => (2_000, 10_000),
        FaultKind::Partition | FaultKind::Pause => (2_000, 10_000),
        FaultKind::ClockJump => (1_000, 8_000),
        FaultKind::ClockDrift | FaultKind::ClockBeyond => (1, 1),
        FaultKind::Unavailable | FaultKind::Slow => (3_000, 15_000),
        FaultKind::Reset => (1_000, 40_000),
        FaultKind::ScriptsForgotten => (500, 10_000),
        FaultKind::TransactionConflict | FaultKind::ServiceError => (1_000, 40_000),
        FaultKind::IndexLag => (100, 4_000),
        FaultKind::SlotMove => (500, 6_000),
        FaultKind::Full | FaultKind::Failover | FaultKind::FailoverBehind => (4_000, 15_000),
    }
}

/// Whether a fault can happen in a world.
fn exists(kind: FaultKind, world: WorldKind) -> bool {
    match kind {
        FaultKind::PowerFailure => world == WorldKind::Embedded,
        FaultKind::Reset
        | FaultKind::ScriptsForgotten
        | FaultKind::Full
        | FaultKind::Failover
        | FaultKind::FailoverBehind => world.has_redis(),
        FaultKind::TransactionConflict | FaultKind::IndexLag => world == WorldKind::Sqs,
        FaultKind::ServiceError => world.has_sqs(),
        FaultKind::PartialBatch | FaultKind::MessageLost | FaultKind::MessageDuplicated => {
            world != WorldKind::Redis
        }
        // Of clusters only, which are drawn apart.
        FaultKind::SlotMove => false,
        _ => true,
    }
}

fn faults(world: WorldKind, random: &Random) -> BTreeMap<FaultKind, u64> {
    let possible = FaultKind::ALL
        .into_iter()
        .filter(|kind| exists(*kind, world));
    let possible: Vec<_> = possible.collect();
    let on: Vec<_> = match random.within(0..20) {
        0 => Vec::new(),
        1..4 => vec![*random.one_of(&possible)],
        _ => {
            let percent = random.within(10..70);
            let mut on = possible;
            on.retain(|kind| match kind {
                FaultKind::ClockBeyond | FaultKind::FailoverBehind => random.percent(percent / 4),
                // It takes minutes until a lost message is missed, and each costs many calls.
                FaultKind::MessageLost if world.has_sqs() => random.percent(percent / 4),
                _ => random.percent(percent),
            });
            on
        }
    };
    let rate = |kind| {
        let (least, most) = rates(kind);
        (kind, random.within(least..most + 1))
    };
    on.into_iter().map(rate).collect()
}
