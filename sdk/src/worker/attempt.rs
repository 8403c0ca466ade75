//! One attempt: the handler, and everything that may end it from outside.

use std::any::Any;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use russet_core::policy::cut_error;
use russet_core::{ErrorKind, LeaseId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tower::ServiceExt;
use tracing::Instrument;

use super::board::LeaseState;
use super::failure::Ending;
use super::settle::{Report, Settlement};
use super::{BoxError, Crew, Phase, Room, TaskContext, TaskFailure, TaskOutput};
use crate::limits;
use crate::wire::{CompleteLease, FailLease, ProgressReport, ReleaseLease, TaskView};

/// What an attempt that is overdue failed of.
const OVERDUE: &str = "the attempt took longer than the task's timeout";

/// A lease to work under.
#[derive(Clone)]
pub(super) struct Hold {
    pub lease: LeaseId,
    pub state: watch::Receiver<LeaseState>,
    pub phase: watch::Receiver<Phase>,
}

/// How an attempt ended.
enum End {
    /// The handler ended.
    Handler(Result<TaskOutput, BoxError>),
    /// The handler panicked.
    Panicked(String),
    /// The attempt took longer than the task allows.
    Overdue,
    /// The handler did not stop when it was asked to.
    Stopped,
    /// The worker has no handler of this type.
    Unknown,
    /// The lease is lost.
    Lost,
}

/// Makes the attempt and hands its end on to be reported.
pub(super) async fn attempt(crew: Arc<Crew>, context: TaskContext, hold: Hold) {
    let lease = hold.lease;
    let task = context.task();
    let span =
        tracing::info_span!("task", id = %task.id, r#type = %task.kind, attempt = task.attempt);
    let begun = Instant::now();
    let work = work(&crew, context.clone(), hold).instrument(span.clone());
    let end = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(end) => end,
        Err(panic) => End::Panicked(panic_text(panic.as_ref())),
    };
    let news = crew.board.finished(lease);
    let (room, keeps) = context.leave();
    let place = room.map(Room::into_place);
    if let (End::Stopped, Some(place)) = (&end, &place) {
        // What outlives the handler goes on under this lease, which heartbeats keep until then.
        place.unused().await;
    }
    let settlement = settlement(&crew, &context, lease, end, news);
    span.in_scope(|| tell(settlement.as_ref(), begun.elapsed()));
    match settlement {
        Some(settlement) => crew.report(Report {
            settlement,
            _room: place.clone().filter(|_| keeps),
        }),
        None => crew.board.forget(lease),
    }
    // The report goes first, so that what is leased into this room comes behind it.
    drop(place);
}

/// Logs how the attempt ended, as this worker sees it.
fn tell(settlement: Option<&Settlement>, took: Duration) {
    let took = Duration::from_millis(took.as_millis() as u64);
    match settlement {
        Some(Settlement::Complete(_)) => tracing::info!(?took, "done: reporting it"),
        Some(Settlement::Fail(fail)) => {
            let kind = fail.kind.unwrap_or(ErrorKind::Failed).as_str();
            let error = last_line(&fail.message);
            tracing::warn!(?took, kind, error, "failed");
        }
        Some(Settlement::Release(release)) => {
            let delay = release.delay_ms.map(Duration::from_millis);
            let delay = delay.map(tracing::field::debug);
            tracing::info!(?took, delay, "given back");
        }
        None => tracing::warn!(?took, "stopped: its lease is lost"),
    }
}

/// The last line of an error that says something, where commands and stack traces name what
/// went wrong.
fn last_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim);
    let last = lines.rfind(|line| !line.is_empty()).unwrap_or_default();
    last.chars().take(limits::LOGGED_ERROR_CHARS).collect()
}

/// Runs the handler until it ends, or until something else ends the attempt.
async fn work(crew: &Crew, context: TaskContext, hold: Hold) -> End {
    let Hold {
        state, mut phase, ..
    } = hold;
    let Some(service) = crew.services.of(context.task().kind.as_str()) else {
        return End::Unknown;
    };
    let timeout = context.task().timeout_ms.map(Duration::from_millis);
    let overdue = async {
        match timeout {
            Some(timeout) => sleep(timeout).await,
            None => pending().await,
        }
    };
    let ignored = async {
        context.cancelled().await;
        match crew.settings.cancel_grace {
            Some(grace) => sleep(grace).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        result = service.oneshot(context.clone()) => End::Handler(result),
        () = lost(state) => End::Lost,
        stopping = phase.wait_for(|phase| *phase == Phase::Stopping) => match stopping {
            Ok(_) => End::Stopped,
            Err(_) => End::Lost,
        },
        () = overdue => End::Overdue,
        () = ignored => End::Stopped,
    }
}

/// Waits until the lease is lost: the server has said so, or its time is over.
async fn lost(mut state: watch::Receiver<LeaseState>) {
    loop {
        let now = *state.borrow_and_update();
        if now.lost || now.valid_until <= Instant::now() {
            return;
        }
        tokio::select! {
            biased;
            changed = state.changed() => if changed.is_err() {
                return;
            },
            () = sleep_until(now.valid_until) => {}
        }
    }
}

/// What is to be reported; nothing when the lease is lost.
fn settlement(
    crew: &Crew,
    context: &TaskContext,
    lease_id: LeaseId,
    end: End,
    news: Option<ProgressReport>,
) -> Option<Settlement> {
    let task = context.id();
    let fail = |kind, message: String, after: Option<Duration>| {
        Settlement::Fail(FailLease {
            task,
            lease_id,
            message: cut_error(&message),
            kind: Some(kind),
            retry_after_ms: after.map(|after| delay_ms(crew, after)),
            progress: None,
        })
    };
    let release = |delay: Option<Duration>| {
        Settlement::Release(ReleaseLease {
            task,
            lease_id,
            delay_ms: delay.map(|delay| delay_ms(crew, delay)),
            progress: None,
        })
    };
    let mut settlement = match end {
        End::Handler(Ok(output)) => complete(crew, context, lease_id, output),
        End::Handler(Err(error)) => match TaskFailure::from_boxed(error).0 {
            Ending::Retry { message, after } => fail(ErrorKind::Failed, message, after),
            Ending::Final(message) => fail(ErrorKind::Final, message, None),
            Ending::TimedOut(message) => fail(ErrorKind::TimedOut, message, None),
            Ending::Snooze(delay) => release(Some(delay)),
            Ending::Cancelled => release(None),
        },
        End::Panicked(message) => fail(ErrorKind::Panicked, message, None),
        End::Overdue => fail(ErrorKind::TimedOut, OVERDUE.to_owned(), None),
        End::Stopped => release(None),
        End::Unknown => {
            tell_of_stranger(crew, context.task());
            release(Some(limits::UNKNOWN_TYPE_DELAY))
        }
        End::Lost => return None,
    };
    *settlement.progress() = news;
    Some(settlement)
}

/// A delay as it is reported: one that is longer than any may be would be refused, and cost the
/// task its report.
fn delay_ms(crew: &Crew, delay: Duration) -> u64 {
    if delay > limits::DELAY_MAX && crew.is_first_long_delay() {
        tracing::warn!(
            ?delay,
            "a handler asked for a longer delay than there is: such tasks come back after {:?}",
            limits::DELAY_MAX
        );
    }
    delay.min(limits::DELAY_MAX).as_millis() as u64
}

/// Says once for each type and queue that the worker takes tasks which it cannot handle, and what
/// to do about it.
fn tell_of_stranger(crew: &Crew, task: &TaskView) {
    let (kind, queue) = (&task.kind, &task.queue);
    if !crew.is_new_stranger(kind, queue) {
        tracing::debug!(task = %task.id, %kind, %queue, "given back: no handler of this type");
        return;
    }
    let delay = limits::UNKNOWN_TYPE_DELAY;
    tracing::warn!(
        "queue {queue} has tasks of type {kind}, which this worker does not handle: it gives them back, each time for {delay:?}; submit them to a queue of their own, or let this worker handle the type too"
    );
}

/// A completion with the follow-up tasks, each under an id of its own so that it can be
/// reported again.
fn complete(
    crew: &Crew,
    context: &TaskContext,
    lease_id: LeaseId,
    output: TaskOutput,
) -> Settlement {
    let mut follow_ups = context.take_follow_ups();
    follow_ups.extend(output.follow_ups);
    for task in &mut follow_ups {
        let own = task
            .id
            .unwrap_or_else(|| crew.client.id_beside(context.id()));
        task.id = Some(own);
    }
    Settlement::Complete(CompleteLease {
        task: context.id(),
        lease_id,
        result: output.result,
        follow_ups,
        progress: None,
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the handler panicked").to_owned()
}
