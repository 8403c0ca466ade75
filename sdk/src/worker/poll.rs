//! Asks for as many tasks as there is room for.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::attempt::{self, Hold};
use super::settle::{Report, Settlement};
use super::{Crew, Phase, Room, TaskContext};
use crate::backoff::Backoff;
use crate::wire::{LeaseRequest, ReleaseLease, TaskView};
use crate::{Error, limits};

/// Leases tasks and starts their attempts until `shutdown`. A poll that is on its way then is
/// waited for, so that no task is leased to nobody; what it brings is given back.
///
/// # Errors
/// A refusal that no waiting will change.
pub(super) async fn run(
    crew: &Arc<Crew>,
    phase: &watch::Sender<Phase>,
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Error> {
    let fresh = || Backoff::new(limits::WORKER_BACKOFF, limits::WORKER_BACKOFF_MAX);
    let mut backoff = fresh();
    loop {
        let room = async {
            crew.board.until(|now| crew.room(now) > 0).await;
            // Whoever is about to end may make more room.
            yield_now().await;
        };
        tokio::select! {
            biased;
            () = shutdown.as_mut() => return Ok(()),
            () = room => {}
        }
        let asked = Instant::now();
        let room = crew.room(crew.board.counts()).max(1);
        let outdated = outdated(crew, phase.subscribe(), room);
        let mut poll = pin!(crew.client.lease_until(request(crew, room), outdated));
        let (answer, over) = tokio::select! {
            biased;
            answer = &mut poll => (answer, false),
            () = shutdown.as_mut() => {
                super::drain(phase);
                (poll.await, true)
            }
        };
        if over {
            let leased = answer.unwrap_or_default();
            leased.tasks.iter().for_each(|task| give_back(crew, task));
            return Ok(());
        }
        let pause = match answer {
            Ok(mut leased) => {
                backoff = fresh();
                let early = leased.tasks.is_empty()
                    && asked.elapsed() < limits::POLL_PAUSE
                    && crew.room(crew.board.counts()) <= room;
                for task in std::mem::take(&mut leased.tasks) {
                    let left = leased.left(&task);
                    start(crew, phase, task, left);
                }
                early.then_some(limits::POLL_PAUSE)
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                let pause = backoff.pause(error.retry_after(), crew.client.entropy());
                tracing::warn!(%error, ?pause, "no tasks could be leased; asking again");
                crew.failed(&error);
                Some(pause)
            }
        };
        if let Some(pause) = pause {
            tokio::select! {
                biased;
                () = shutdown.as_mut() => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }
}

/// Waits until a poll for this much room need not be waited for: there is more room, or the
/// worker stops.
async fn outdated(crew: &Crew, mut phase: watch::Receiver<Phase>, room: usize) {
    tokio::select! {
        biased;
        _ = phase.wait_for(|phase| *phase != Phase::Working) => {}
        () = crew.board.until(|now| crew.room(now) > room) => {}
    }
}

fn request(crew: &Crew, max: usize) -> LeaseRequest {
    let settings = &crew.settings;
    let free = settings.capacity.as_ref().map(|capacity| {
        let used = crew.board.used();
        let left = capacity.iter().map(|(name, amount)| {
            let used = used.iter().find(|(known, _)| known.as_str() == name);
            let used = used.map_or(0, |(_, used)| *used);
            (name.clone(), amount.saturating_sub(used))
        });
        left.collect::<BTreeMap<_, _>>()
    });
    LeaseRequest {
        queues: settings.queues.clone(),
        worker: settings.name.clone(),
        capacity: free,
        max: Some(max.min(limits::LEASE_TASKS)),
        visibility_timeout_ms: settings.lease.map(|lease| lease.as_millis() as u64),
        wait_ms: Some(settings.poll_wait.as_millis() as u64),
    }
}

/// Starts an attempt, whose lease has so much `left`, if that is known.
fn start(crew: &Arc<Crew>, phase: &watch::Sender<Phase>, task: TaskView, left: Option<Duration>) {
    let Some(lease) = task.lease_id else {
        tracing::error!(task = %task.id, "a task was leased without a lease");
        return;
    };
    let lasts = crew.settings.lease;
    let term = lasts.unwrap_or(Duration::from_millis(task.visibility_timeout_ms));
    let gone = term.saturating_sub(left.unwrap_or(term));
    let now = Instant::now();
    let granted = now.checked_sub(gone).unwrap_or(now);
    let state = crew.board.take(task.id, lease, term, granted);
    let counted = crew.settings.capacity.is_some();
    let needs = counted.then(|| task.resource_requirements.clone());
    let room = Room::new(crew.board.clone(), needs.unwrap_or_default());
    let hold = Hold {
        lease,
        state,
        phase: phase.subscribe(),
    };
    let (client, board) = (crew.client.clone(), crew.board.clone());
    let context = TaskContext::new(task, client, board, room, hold.clone());
    tokio::spawn(attempt::attempt(crew.clone(), context, hold));
}

fn give_back(crew: &Crew, task: &TaskView) {
    let Some(lease_id) = task.lease_id else {
        return;
    };
    let term = Duration::from_millis(task.visibility_timeout_ms);
    crew.board.take(task.id, lease_id, term, Instant::now());
    crew.board.finished(lease_id);
    crew.report(Report {
        settlement: Settlement::Release(ReleaseLease {
            task: task.id,
            lease_id,
            delay_ms: None,
            progress: None,
        }),
        _room: None,
    });
}

/// Whether asking again is of no use.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Setting { .. } | Error::Json { .. } => true,
        Error::Refused(problem) => matches!(problem.status, 400 | 401 | 403 | 404 | 405 | 422),
        _ => false,
    }
}
