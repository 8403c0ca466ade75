//! True time, and the clocks that nodes see instead.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use madsim::time::TimeHandle;
use russet_core::Timestamp;
use russet_engine::Clock;

use crate::history::At;
use crate::plan::ClockPlan;
use crate::world_time::EPOCH_MS;

/// The true time.
pub fn now() -> At {
    At(TimeHandle::current().elapsed().as_micros() as u64)
}

/// The clock of one node. It outlives the node's crashes.
#[derive(Debug)]
pub struct NodeClock {
    offset_ms: AtomicI64,
    drift_ppm: i64,
    most_drift_ms: i64,
}

impl NodeClock {
    /// A clock that is right.
    pub fn right() -> Self {
        Self::new(ClockPlan::default(), 0)
    }

    /// The clock of a plan. Its drift stops at `most_drift_ms`, as where clocks are adjusted.
    pub fn new(plan: ClockPlan, most_drift_ms: i64) -> Self {
        Self {
            offset_ms: AtomicI64::new(plan.offset_ms),
            drift_ppm: plan.drift_ppm,
            most_drift_ms,
        }
    }

    /// Sets how far it is ahead of the true time, apart from its drift.
    pub fn step_to(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let true_ms = now().millis() as i64;
        let drift = true_ms * self.drift_ppm / 1_000_000;
        let drift = drift.clamp(-self.most_drift_ms, self.most_drift_ms);
        let shown = EPOCH_MS as i64 + true_ms + drift + self.offset_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(shown.max(0) as u64)
    }

    async fn sleep(&self, duration: Duration) {
        let micros = duration.as_micros() as i64;
        let scaled = micros - micros * self.drift_ppm / 1_000_000;
        tokio::time::sleep(Duration::from_micros(scaled.max(0) as u64)).await;
    }
}
