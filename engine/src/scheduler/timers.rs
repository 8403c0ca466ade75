//! Timers: whatever is lost elsewhere, a timer finds again.
//!
//! A partition's leader looks for due timers all the time. Every node also fires those that
//! it committed itself, so that a timer is late only when its node is gone.

mod held;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russet_core::{Campaign, Command, Fire, Millis, PartitionId, Reply, Timestamp};
use tokio::sync::Notify;
use tracing::Instrument;

use self::held::Held;
use super::relay::Outgoing;
use super::{Node, ONLY_NODE, Partition};
use crate::{Due, EngineError, limits};

/// When a partition's timers are to be looked at next.
pub(super) struct Alarm {
    at: AtomicU64,
    ringing: Notify,
}

impl Alarm {
    pub fn new() -> Self {
        Self {
            at: AtomicU64::new(u64::MAX),
            ringing: Notify::new(),
        }
    }

    /// Rings at `at`, if not earlier.
    pub fn set(&self, at: Timestamp) {
        let before = self.at.fetch_min(at.as_millis(), Ordering::AcqRel);
        if at.as_millis() < before {
            self.ringing.notify_one();
        }
    }

    /// Rings now.
    pub fn ring(&self) {
        self.set(Timestamp::ZERO);
    }

    fn take(&self) -> Timestamp {
        Timestamp::from_millis(self.at.swap(u64::MAX, Ordering::AcqRel))
    }
}

/// Fires a partition's timers until the node stops.
pub(super) async fn run(node: Arc<Node>, partition: PartitionId, outgoing: Outgoing) {
    let Some(own) = node.partition(partition) else {
        return;
    };
    let mut duty = Duty {
        node: &node,
        partition: own,
        outgoing,
        held: Held::default(),
        fails: false,
    };
    let mut wake = Timestamp::ZERO;
    while !node.is_stopping() {
        wait(&node, own, wake).await;
        wake = duty.look().await;
    }
}

/// Waits until `wake`, or until the alarm is set to an earlier time; never for longer than
/// [`limits::TIMER_HORIZON`], whatever the clock says meanwhile.
async fn wait(node: &Node, partition: &Partition, wake: Timestamp) {
    loop {
        let now = node.clock.now();
        let alarm = Timestamp::from_millis(partition.alarm.at.load(Ordering::Acquire));
        let until = wake.min(alarm);
        if until <= now || node.is_stopping() {
            return;
        }
        let pause = until.since(now).min(limits::TIMER_HORIZON);
        tokio::select! {
            biased;
            () = partition.alarm.ringing.notified() => {}
            () = node.clock.sleep(pause.into()) => return,
        }
    }
}

struct Duty<'a> {
    node: &'a Node,
    partition: &'a Partition,
    outgoing: Outgoing,
    held: Held,
    /// The last look failed.
    fails: bool,
}

impl Duty<'_> {
    /// Fires what is due; returns when to look again.
    async fn look(&mut self) -> Timestamp {
        let now = self.node.clock.now();
        let alarm = self.partition.alarm.take();
        self.campaign(now).await;
        let regular = now + limits::TIMER_HORIZON;
        let leads = self.partition.leads_until() > now;
        if !leads && alarm > now && alarm < regular {
            self.partition.alarm.set(alarm);
        }
        // Others leave to the leader what is not long overdue, but for what they rang for.
        let before = match leads || alarm <= now {
            true => regular,
            false => now - limits::TIMER_OVERDUE,
        };
        let fired = self.fire_due(now, before).await;
        self.tell(fired.as_ref().err());
        fired.ok().flatten().unwrap_or(regular)
    }

    /// Fires what is due now; returns when more is due, if that is before `before`.
    async fn fire_due(
        &mut self,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let (store, page) = (&self.node.backend.store, self.held.page());
        let due = store.due(self.partition.id, before, page).await?;
        let full = due.len() == page;
        let seen = due.last().filter(|_| full).map_or(before, |last| last.at);
        self.held.forget_gone(&due, seen);
        let (now_due, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| due.at <= now);
        let mut ready = self.held.select(now_due, now);
        let more = full || ready.len() > limits::TIMER_BATCH;
        ready.truncate(limits::TIMER_BATCH);
        let fired = ready.len();
        let span = tracing::debug_span!("fire", partition = self.partition.id.0, timers = fired);
        self.fire(ready).instrument(span).await?;
        if more && fired > 0 {
            return Ok(Some(now));
        }
        Ok(later.first().map(|due| due.at))
    }

    /// Logs when timers begin to fail, and when they go on: not each failure in between.
    fn tell(&mut self, failed: Option<&EngineError>) {
        let partition = self.partition.id.0;
        match failed {
            Some(error) if !self.fails => {
                tracing::warn!(partition, %error, "timers cannot be looked at; trying again");
            }
            Some(error) => tracing::debug!(partition, %error, "timers cannot be looked at"),
            None if self.fails => tracing::info!(partition, "timers are looked at again"),
            None => {}
        }
        self.fails = failed.is_some();
    }

    async fn fire(&mut self, due: Vec<Due>) -> Result<(), EngineError> {
        if due.is_empty() {
            return Ok(());
        }
        tracing::debug!("firing");
        let fire = |due: &Due| {
            Command::Fire(Fire {
                timer: due.timer,
                random: self.node.entropy.next_u64(),
            })
        };
        let fires = due.iter().map(fire).collect();
        let answers = self.partition.intake.call(fires).await?;
        let mut failed = Ok(());
        for (due, answer) in due.into_iter().zip(answers) {
            match answer {
                Ok(reply) => self.fired(&due, reply),
                Err(error) if fails_by_itself(&error) && self.hold(due, &error) => {}
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed
    }

    fn fired(&mut self, due: &Due, reply: Reply) {
        if self.held.release(due) {
            tracing::info!(timer = ?due.timer, "a timer that was held back is fired again");
        }
        if let Reply::Fired {
            relay: Some(message),
            ..
        } = reply
        {
            self.outgoing.relay(self.partition.id, message);
        }
    }

    /// Holds a timer back, so that it does not hold up the others; whether there is room for it.
    fn hold(&mut self, due: Due, error: &EngineError) -> bool {
        let Some(is_new) = self.held.hold(due, self.node.clock.now()) else {
            return false;
        };
        if is_new {
            if let EngineError::Store(error) = error {
                self.node.damage.is_news(error, self.node.clock.now());
            }
            let (partition, timer) = (self.partition.id.0, due.timer);
            let pause = limits::HELD_TIMER_PAUSE;
            tracing::error!(partition, ?timer, %error, %pause, "a timer cannot be fired: what it \
                is for waits until the cause is gone, and is tried again after each pause");
        }
        true
    }

    /// Stays leader, or tries to become it when nobody is.
    async fn campaign(&mut self, now: Timestamp) {
        let node = self.node.id;
        let (term, early) = match node {
            ONLY_NODE => (limits::LEADER_TERM_ALONE, Millis::ZERO),
            _ => (limits::LEADER_TERM, limits::LEADER_TERM_LEFT),
        };
        if now + early < self.partition.leads_until() {
            return;
        }
        let campaign = Campaign { node, term };
        match self
            .partition
            .intake
            .call_one(Command::Campaign(campaign))
            .await
        {
            Ok(Reply::Leading(leader)) => self.partition.lead_until(leader.expires_at),
            Ok(_) => {}
            Err(EngineError::Rejected(_)) => self.partition.lead_until(Timestamp::ZERO),
            Err(error) => tracing::debug!(%error, "no leader could be chosen"),
        }
    }
}

/// Whether a timer cannot be fired, although others can.
fn fails_by_itself(error: &EngineError) -> bool {
    match error {
        EngineError::Rejected(_) => true,
        EngineError::Store(error) => error.concerns_records(),
        _ => false,
    }
}
