//! Keeps the leases of a worker alive, many with one request.

use std::convert::Infallible;
use std::future::pending;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};

use super::Crew;
use super::board::Beat;
use crate::wire::ExtendedView;
use crate::{Error, limits};

/// Sends heartbeats for as long as it is polled. What becomes due while a call is under way goes
/// with the next one; a call that is not answered soon is not waited for, since leases that are
/// shorter than its own would end meanwhile.
pub(super) async fn run(crew: &Crew) -> Infallible {
    let board = &crew.board;
    let mut under_way = FuturesUnordered::new();
    let mut last_sent = Instant::now();
    loop {
        let next = board.next_beat().map(|at| match under_way.is_empty() {
            true => at,
            false => at.max(last_sent + limits::BEAT_STAGGER),
        });
        let may_send = under_way.len() < limits::BEAT_CALLS;
        let due = async {
            match next {
                Some(at) if may_send => sleep_until(at).await,
                _ => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            () = board.hurry.notified() => {}
            () = due => {
                last_sent = Instant::now();
                let beats = board.due(last_sent, crew.settings.lease);
                under_way.push(send(crew, beats));
            }
        }
    }
}

async fn send(crew: &Crew, beats: Vec<Beat>) {
    let Some(shortest) = beats.iter().map(|beat| beat.interval).min() else {
        return;
    };
    let sent = Instant::now();
    let patience = shortest.max(limits::BEAT_TIMEOUT_MIN);
    let extends = beats.iter().map(|beat| beat.extend.clone()).collect();
    let answers = timeout(patience, crew.client.extend(extends)).await;
    let leases = beats.iter().map(|beat| beat.extend.lease_id);
    crew.board.answered(leases);
    let Ok(answers) = answers else {
        tracing::warn!(
            leases = beats.len(),
            ?patience,
            "heartbeats were not answered"
        );
        let at = Instant::now();
        beats
            .into_iter()
            .for_each(|beat| crew.board.again(beat, at));
        return;
    };
    let mut failed = None;
    for (beat, answer) in beats.into_iter().zip(answers) {
        if let Err(error) = settle(crew, beat, answer, sent) {
            failed = Some(error);
        }
    }
    if let Some(error) = failed {
        tracing::warn!(%error, "heartbeats failed and are sent again");
        crew.failed(&error);
    }
}

/// Tells whom it concerns what became of one heartbeat; returns an error that may pass.
fn settle(
    crew: &Crew,
    beat: Beat,
    answer: Result<ExtendedView, Error>,
    sent: Instant,
) -> Result<(), Error> {
    let lease = beat.extend.lease_id;
    let error = match answer {
        Ok(extended) => {
            crew.board.extended(lease, sent, extended.cancel_requested);
            for waiting in beat.waiting {
                // A handler that was dropped meanwhile does not wait any more.
                let _ = waiting.send(Ok(()));
            }
            return Ok(());
        }
        Err(error) => error,
    };
    if error.is_stale_lease() || error.is_not_found() {
        let task = beat.extend.task;
        if crew.board.lost(lease) {
            tracing::warn!(%task, %error, "a lease is lost");
        } else {
            tracing::debug!(%task, %error, "a heartbeat came after the end of its attempt");
        }
        return Ok(());
    }
    let pause = beat.interval / limits::BEAT_SLACK;
    let pause = pause.min(limits::WORKER_BACKOFF_MAX);
    let Some(problem) = error.unacceptable() else {
        crew.board.again(beat, Instant::now() + pause);
        return Err(error);
    };
    // The news cannot be kept: they must not cost the lease.
    for waiting in beat.waiting {
        let _ = waiting.send(Err(problem.detail.clone()));
    }
    let had_news = beat.extend.progress.is_some();
    let at = if had_news {
        Instant::now()
    } else {
        Instant::now() + pause
    };
    let silent = Beat {
        extend: crate::wire::ExtendLease {
            progress: None,
            ..beat.extend
        },
        waiting: Vec::new(),
        ..beat
    };
    crew.board.again(silent, at);
    Err(error)
}
