//! Reports how attempts ended, many with one request.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join3;
use futures::stream::FuturesUnordered;
use russet_core::{ErrorKind, LeaseId};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::Crew;
use super::room::Place;
use crate::backoff::Backoff;
use crate::wire::{
    CompleteLease, FailLease, Problem, ProgressReport, ReleaseLease, TaskNowView, Weighed,
};
use crate::{Error, limits};

/// The end of an attempt, until it is recorded.
pub(super) struct Report {
    pub settlement: Settlement,
    /// What is only free once the end is recorded.
    pub _room: Option<Arc<Place>>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum Settlement {
    Complete(CompleteLease),
    Fail(FailLease),
    Release(ReleaseLease),
}

impl Settlement {
    pub fn lease(&self) -> LeaseId {
        match self {
            Self::Complete(complete) => complete.lease_id,
            Self::Fail(fail) => fail.lease_id,
            Self::Release(release) => release.lease_id,
        }
    }

    /// What was said about progress and not yet sent.
    pub fn progress(&mut self) -> &mut Option<ProgressReport> {
        match self {
            Self::Complete(complete) => &mut complete.progress,
            Self::Fail(fail) => &mut fail.progress,
            Self::Release(release) => &mut release.progress,
        }
    }
}

/// Reports that go together: few enough, and small enough, that they are sent in time.
#[derive(Default)]
struct Batch {
    reports: Vec<Report>,
    bytes: usize,
}

impl Batch {
    fn of(report: Report) -> Self {
        let mut batch = Self::default();
        batch.push(report);
        batch
    }

    fn push(&mut self, report: Report) {
        self.bytes += match &report.settlement {
            Settlement::Complete(complete) => complete.bytes(),
            Settlement::Fail(fail) => fail.bytes(),
            Settlement::Release(release) => release.bytes(),
        };
        self.reports.push(report);
    }

    fn has_room(&self) -> bool {
        self.reports.len() < limits::BATCH_ITEMS && self.bytes < limits::REQUEST_BYTES
    }
}

/// Reports what comes for as long as it is polled. When so many batches are on their way as may
/// be, what ends meanwhile goes with the next one, so that many small ends need few requests
/// and a single one waits for nothing.
pub(super) async fn run(crew: &Crew, mut ended: mpsc::UnboundedReceiver<Report>) -> Infallible {
    let fresh = || Backoff::new(limits::WORKER_BACKOFF, limits::WORKER_BACKOFF_MAX);
    let mut backoff = fresh();
    let mut failed: VecDeque<Report> = VecDeque::new();
    let mut retry_at = Instant::now();
    let most = crew.client.reports_at_once();
    let mut under_way = FuturesUnordered::new();
    loop {
        let retry = async {
            match failed.is_empty() {
                true => pending().await,
                false => sleep_until(retry_at).await,
            }
        };
        let may_send = under_way.len() < most;
        let mut batch = tokio::select! {
            biased;
            Some(again) = under_way.next() => {
                let again: Vec<Report> = again;
                if again.is_empty() && failed.is_empty() {
                    backoff = fresh();
                } else if !again.is_empty() {
                    failed.extend(again);
                    retry_at = Instant::now() + backoff.pause(Duration::ZERO, crew.client.entropy());
                }
                continue;
            }
            Some(report) = ended.recv(), if may_send => Batch::of(report),
            () = retry, if may_send => Batch::default(),
        };
        if most == 1 {
            // Whoever is about to end too may go along.
            yield_now().await;
        }
        while batch.has_room()
            && let Ok(report) = ended.try_recv()
        {
            batch.push(report);
        }
        while batch.has_room()
            && retry_at <= Instant::now()
            && let Some(report) = failed.pop_front()
        {
            batch.push(report);
        }
        under_way.push(report(crew, batch.reports));
    }
}

/// Reports a batch; returns what has to be reported again.
async fn report(crew: &Crew, batch: Vec<Report>) -> Vec<Report> {
    let (mut completes, mut fails, mut releases) = (Vec::new(), Vec::new(), Vec::new());
    for report in &batch {
        match report.settlement.clone() {
            Settlement::Complete(complete) => completes.push(complete),
            Settlement::Fail(fail) => fails.push(fail),
            Settlement::Release(release) => releases.push(release),
        }
    }
    let client = &crew.client;
    let calls = join3(
        client.complete(completes),
        client.fail(fails),
        client.release(releases),
    );
    let Ok((completed, failed, released)) = timeout(limits::CALL_TIMEOUT, calls).await else {
        tracing::warn!(
            ends = batch.len(),
            "reports were not answered; they are sent again"
        );
        return batch
            .into_iter()
            .filter(|report| is_in_time(crew, report))
            .collect();
    };
    let (mut completed, mut failed) = (completed.into_iter(), failed.into_iter());
    let mut released = released.into_iter();
    let mut again = Vec::new();
    for report in batch {
        let answer = match &report.settlement {
            Settlement::Complete(_) => completed.next(),
            Settlement::Fail(_) => failed.next(),
            Settlement::Release(_) => released.next(),
        };
        let Some(answer) = answer else { continue };
        if let Some(settlement) = after(crew, report.settlement, answer) {
            again.push(Report {
                settlement,
                ..report
            });
        }
    }
    again
}

/// Whether the lease is not over yet; its end can no longer be reported otherwise.
fn is_in_time(crew: &Crew, report: &Report) -> bool {
    let lease = report.settlement.lease();
    let in_time = !is_over(crew, lease);
    if !in_time {
        tracing::warn!(%lease, "the end of an attempt could not be reported in time: no answer came");
        crew.board.forget(lease);
    }
    in_time
}

fn is_over(crew: &Crew, lease: LeaseId) -> bool {
    let valid = crew.board.valid_until(lease);
    valid.is_none_or(|until| until <= Instant::now())
}

/// What has to be reported after this answer.
fn after(
    crew: &Crew,
    mut settlement: Settlement,
    answer: Result<TaskNowView, Error>,
) -> Option<Settlement> {
    let lease = settlement.lease();
    let error = match answer {
        Ok(now) => {
            crew.warn(now.warnings);
            crew.board.forget(lease);
            return None;
        }
        Err(error) => error,
    };
    let over = is_over(crew, lease);
    if error.problem().is_some_and(Problem::is_result_conflict) {
        tracing::warn!(%lease, %error, "a task was completed before, and that stands");
        crew.board.forget(lease);
        return None;
    }
    if over || error.is_stale_lease() || error.is_not_found() {
        match &settlement {
            // The scheduler has seen by itself that the time was over.
            Settlement::Fail(fail) if fail.kind == Some(ErrorKind::TimedOut) => {}
            _ => {
                tracing::warn!(%lease, %error, "the end of an attempt could not be reported in time");
            }
        }
        crew.board.forget(lease);
        return None;
    }
    let problem = error.unacceptable();
    // News that cannot be kept must not cost the report.
    if problem.is_some_and(is_about_progress) && settlement.progress().take().is_some() {
        return Some(settlement);
    }
    let Some(problem) = problem else {
        crew.failed(&error);
        return Some(settlement);
    };
    tracing::error!(%lease, %problem, "the end of an attempt was refused");
    let instead = instead(settlement, problem);
    if instead.is_none() {
        crew.board.forget(lease);
    }
    instead
}

/// What is reported in place of what can never be accepted, so that it does not hold the task
/// until its lease ends: a failure that says why, at last without any wish. One that is refused
/// even then leaves nothing to report.
fn instead(settlement: Settlement, problem: &Problem) -> Option<Settlement> {
    let (task, lease_id, what, kind, progress) = match settlement {
        Settlement::Complete(CompleteLease {
            task,
            lease_id,
            progress,
            ..
        }) => (task, lease_id, "completion", ErrorKind::Final, progress),
        Settlement::Release(ReleaseLease {
            task,
            lease_id,
            progress,
            ..
        }) => (task, lease_id, "release", ErrorKind::Failed, progress),
        Settlement::Fail(mut fail) => {
            fail.retry_after_ms.take()?;
            return Some(Settlement::Fail(fail));
        }
    };
    Some(Settlement::Fail(FailLease {
        task,
        lease_id,
        message: format!("the {what} was refused: {}", problem.detail),
        kind: Some(kind),
        retry_after_ms: None,
        progress,
    }))
}

fn is_about_progress(problem: &Problem) -> bool {
    let field = problem.field.as_deref().unwrap_or_default();
    problem.status == 413 || field.starts_with("progress")
}
