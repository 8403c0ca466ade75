use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use russet_core::{Complete, ErrorKind, Fail, Lease, Rejection, Release, Task};
use russet_engine::EngineError;

use super::running::{Order, Orders};
use super::{Shared, Slot};
use crate::run::shell::Script;
use crate::run::work::{Job, Payload, sped_up};

/// What became of an attempt.
enum Outcome {
    Done(Option<Bytes>),
    Failed(ErrorKind, String),
    Stopped(Order),
}

/// Does the work of one lease, and tells the scheduler how it ended. The slot is free for
/// other work as soon as this work is over.
pub(super) async fn attempt(shared: Arc<Shared>, task: Arc<Task>, slot: Slot) {
    let Some(lease) = task.lease.as_deref() else {
        return;
    };
    let mut orders = shared.running.enter(&task, lease.id);
    let now = shared.scheduler.clock().now();
    let outcome = if lease.deadline.is_some_and(|deadline| deadline <= now) {
        // The order to stop may have come before the attempt was entered.
        Outcome::Stopped(Order::Revoked)
    } else {
        work(&shared, &task, &mut orders).await
    };
    drop(orders);
    let mut slot = Some(slot);
    while let Err(error) = settling(&shared, &task, lease, &outcome, &mut slot).await {
        match error {
            EngineError::Overloaded { retry_after, .. }
            | EngineError::Contended { retry_after } => {
                shared.scheduler.clock().sleep(retry_after.into()).await;
            }
            // The scheduler knows better: the time of this attempt was over.
            EngineError::Rejected(Rejection::StaleLease { .. }) => return,
            error => return shared.give_up(error),
        }
    }
}

/// Tells the scheduler how the attempt ended. The slot is free as soon as that is on its way,
/// so that what is leased into it comes behind, in the same commit if need be. If another task
/// becomes ready by it, the slot is free when it is: that task may be the one to go first.
async fn settling(
    shared: &Shared,
    task: &Task,
    lease: &Lease,
    outcome: &Outcome,
    slot: &mut Option<Slot>,
) -> Result<(), EngineError> {
    let mut settling = pin!(settle(shared, task, lease, outcome));
    let first = futures::poll!(settling.as_mut());
    let succeeds = matches!(outcome, Outcome::Done(_));
    let position = shared
        .plan
        .position(task.id)
        .filter(|_| succeeds && slot.is_some());
    let waits = position.is_some_and(|position| shared.families.succeeds(position));
    if !waits {
        drop(slot.take());
    }
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => settling.await,
    };
    drop(slot.take());
    result
}

async fn work(shared: &Shared, task: &Task, orders: &mut Orders<'_>) -> Outcome {
    let payload = match Payload::read(&task.payload) {
        Ok(payload) => payload,
        Err(error) => {
            let why = format!("the payload cannot be read: {error}");
            return Outcome::Failed(ErrorKind::Final, why);
        }
    };
    match &payload.job {
        Job::Sleep { sleep_us } => {
            sleep(shared, task, Duration::from_micros(*sleep_us), orders).await
        }
        Job::Shell { run, env } => {
            let script = Script {
                task: &payload.task,
                attempt: task.attempt,
                run,
                env,
            };
            command(shared, task, script, orders).await
        }
    }
}

/// Sleeps from the time on at which the lease was decided, so that writing the lease to the
/// disk is not added to the time that the task takes.
async fn sleep(shared: &Shared, task: &Task, time: Duration, orders: &mut Orders<'_>) -> Outcome {
    let now = shared.scheduler.clock().now();
    let gone = task
        .started_at
        .map_or(Duration::ZERO, |at| now.since(at).into());
    let rest = sped_up(time, shared.speedup).saturating_sub(gone);
    tokio::select! {
        biased;
        () = tokio::time::sleep(rest), if !rest.is_zero() => Outcome::Done(None),
        () = std::future::ready(()), if rest.is_zero() => Outcome::Done(None),
        order = orders.stopped() => Outcome::Stopped(order),
    }
}

async fn command(
    shared: &Shared,
    task: &Task,
    script: Script<'_>,
    orders: &mut Orders<'_>,
) -> Outcome {
    let Some(shell) = &shared.shell else {
        let why = "this run was started without commands".to_owned();
        return Outcome::Failed(ErrorKind::Final, why);
    };
    // An earlier attempt that ran out of time may still be stopping.
    let _turn = tokio::select! {
        biased;
        turn = shared.turn(task.id) => turn,
        order = orders.stopped() => return Outcome::Stopped(order),
    };
    let mut stopped = None;
    let stop = async { stopped = Some(orders.stopped().await) };
    let ended = shell.run(script, stop).await;
    match (stopped, ended) {
        (Some(order), _) => Outcome::Stopped(order),
        (None, Ok(ended)) if ended.status.success() => {
            let output = Some(ended.output).filter(|output| !output.is_empty());
            let json = output.and_then(|output| serde_json::to_vec(&output).ok());
            Outcome::Done(json.map(Bytes::from))
        }
        (None, Ok(ended)) => Outcome::Failed(ErrorKind::Failed, ended.error()),
        (None, Err(error)) => {
            let why = format!("the command could not be started: {error}");
            Outcome::Failed(ErrorKind::Failed, why)
        }
    }
}

async fn settle(
    shared: &Shared,
    task: &Task,
    lease: &Lease,
    outcome: &Outcome,
) -> Result<(), EngineError> {
    let (task, lease) = (task.id, lease.id);
    match outcome {
        Outcome::Done(result) => {
            let complete = Complete {
                task,
                lease,
                result: result.clone(),
                follow_ups: Vec::new(),
            };
            shared.scheduler.complete(complete).await?;
        }
        Outcome::Failed(kind, message) => {
            let fail = Fail {
                task,
                lease,
                kind: *kind,
                message: message.clone(),
                retry_after: None,
                random: 0,
            };
            shared.scheduler.fail(fail).await?;
        }
        Outcome::Stopped(Order::GiveBack) => {
            let release = Release {
                task,
                lease,
                delay: None,
                progress: None,
            };
            shared.scheduler.release(release).await?;
        }
        Outcome::Stopped(Order::Go | Order::Revoked) => {}
    }
    Ok(())
}
