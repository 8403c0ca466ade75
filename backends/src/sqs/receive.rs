use std::sync::Arc;
use std::time::Duration;

use russet_core::{Lane, Millis};
use russet_engine::{Delivery, QueueError};
use tokio::sync::Notify;

use super::Inner;
use super::desk::Found;
use crate::limits::SQS_SOON;

impl Inner {
    /// Waits up to `wait` for messages of these lanes; those whose queues do not exist yet are
    /// waited for as well.
    pub(super) async fn receive(
        inner: &Arc<Self>,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let millis = wait.as_nanos().div_ceil(1_000_000);
        let millis = Millis::new(u64::try_from(millis).unwrap_or(u64::MAX));
        let mut give_up = inner.clock.now() + millis;
        let seat = Seat::take(inner, max);
        let mut is_first = true;
        loop {
            let epoch = inner.directory.epoch();
            let places = inner.directory.of_lanes(&inner.prefix, from);
            let now = inner.clock.now();
            // A clock that was set back makes no wait longer.
            give_up = give_up.min(now + millis);
            let (found, polls, resumes) = {
                let mut desk = inner.desk();
                let mut found = desk.look(seat.number, &places, now);
                let is_late = now >= give_up;
                let mut polls = Vec::new();
                if found == Found::Nothing && (is_first || !is_late) {
                    polls = desk.plan(&places, Duration::from(give_up.since(now)), visibility, now);
                    if polls.iter().any(|poll| poll.wait == 0) {
                        found = Found::Soon;
                    }
                }
                (found, polls, desk.resumes(&places, now))
            };
            for poll in polls {
                drop(tokio::spawn(inner.clone().poll(poll)));
            }
            is_first = false;
            let next = resumes.map_or(give_up, |at| at.min(give_up));
            match found {
                Found::Some(deliveries) => return Ok(deliveries),
                Found::Failed(why) => return Err(QueueError::Unavailable { why }),
                // It ends soon by itself: nobody is kept waiting much longer than asked.
                Found::Soon => tokio::select! {
                    biased;
                    () = seat.wake.notified() => {}
                    () = inner.clock.sleep(SQS_SOON) => inner.desk().hurry(seat.number),
                },
                Found::Nothing if now >= give_up => {
                    return match inner.desk().failing(&places) {
                        Some(why) => Err(QueueError::Unavailable { why }),
                        None => Ok(Vec::new()),
                    };
                }
                Found::Nothing => tokio::select! {
                    biased;
                    () = seat.wake.notified() => {}
                    () = inner.directory.changed(epoch) => {}
                    () = inner.clock.sleep(next.since(now).into()) => {}
                },
            }
        }
    }
}

/// A place at the desk, given back whenever the receiver goes away.
struct Seat<'a> {
    inner: &'a Inner,
    number: u64,
    wake: Arc<Notify>,
}

impl<'a> Seat<'a> {
    fn take(inner: &'a Inner, max: usize) -> Self {
        let wake = Arc::new(Notify::new());
        let number = inner.desk().enter(max, wake.clone());
        Self {
            inner,
            number,
            wake,
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.inner.desk().leave(self.number);
    }
}
