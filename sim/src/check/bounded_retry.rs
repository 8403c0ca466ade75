//! At most `max_retries + 1` counted attempts per life; crashes of workers count; never before
//! its backoff.

use russet_core::{ErrorKind, LeaseEnd, LeaseId, Status, Task, TaskId};

use super::Violation;
use super::facts::{Facts, since_start};
use super::findings::Findings;
use super::timeline::{Moment, Timeline};
use crate::history::Ask;

pub(super) const PROMISE: &str = "bounded-retry";

/// Clocks show whole milliseconds.
const ROUNDING_MS: u64 = 1;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    for (id, timeline) in &facts.tasks {
        lives(facts, *id, timeline, &mut findings);
    }
    findings.done()
}

/// What counts in one life of a task.
#[derive(Default)]
struct Life {
    /// The entries of attempts that failed or expired.
    failures: Vec<usize>,
    /// The newest backoff ends then, by a clock that is right, and the entry that says so.
    backs_off_until: Option<(u64, usize)>,
}

fn lives(facts: &Facts<'_>, id: TaskId, timeline: &Timeline<'_>, findings: &mut Findings) {
    let mut life = Life::default();
    for moment in &timeline.moments {
        let Some(after) = moment.after else {
            life = Life::default();
            continue;
        };
        count(id, moment, after, &mut life, findings);
        if moment.redriven().is_some() {
            life = Life::default();
        }
        if moment.granted().is_some() {
            begun(facts, id, moment, &life, findings);
            life.backs_off_until = None;
        }
        if let (Some(before), false) = (moment.before, moment.redriven().is_some()) {
            retried(facts, moment, before, after, &mut life, findings);
        }
    }
}

fn count(id: TaskId, moment: &Moment<'_>, after: &Task, life: &mut Life, findings: &mut Findings) {
    let most = after.retry.max_retries;
    let before = moment.before.map_or(0, |task| task.retry_count);
    let failed = match moment.ended() {
        Some((_, end)) => matches!(end, LeaseEnd::Failed | LeaseEnd::Expired),
        None => moment.lost_sight_of().is_some() && after.retry_count > before,
    };
    if failed {
        life.failures.push(moment.entry);
    }
    if life.failures.len() > most as usize + 1 {
        let n = life.failures.len();
        let what = format!("task {id} failed {n} times in one life, with {most} retries");
        findings.add(what, &life.failures);
    }
    let redriven = moment.redriven().is_some();
    let goes_on = failed && !after.status.is_terminal();
    let expected = before + u32::from(goes_on);
    // It may have been cancelled in the same commit, before its next try.
    let cancelled = failed && after.status == Status::Cancelled;
    let right = after.retry_count == expected || (cancelled && after.retry_count == before + 1);
    if after.retry_count > most || !(redriven || right) {
        let what = format!(
            "the retries of task {id} went from {before} to {} of {most}, where {expected} are right",
            after.retry_count
        );
        findings.add(what, &[moment.entry]);
    }
}

/// Keeps when the backoff after a failure ends, and checks that it is long enough.
fn retried(
    facts: &Facts<'_>,
    moment: &Moment<'_>,
    before: &Task,
    after: &Task,
    life: &mut Life,
    findings: &mut Findings,
) {
    let Some((lease, LeaseEnd::Failed | LeaseEnd::Expired)) = moment.ended() else {
        return;
    };
    let error = after.last_error.as_deref();
    let error = error.filter(|e| e.attempt == before.attempt && e.kind != ErrorKind::Cancelled);
    let Some(failed_at) = error.map(|e| e.at).filter(|_| !after.status.is_terminal()) else {
        return;
    };
    let wait = least_backoff(facts, before, lease.id, moment.entry);
    let due = failed_at.as_millis() + wait;
    if after.scheduled_at.is_none_or(|at| at.as_millis() < due) {
        let what = format!(
            "task {} failed and is not to wait for its backoff of {wait} ms",
            after.id
        );
        findings.add(what, &[moment.entry]);
    }
    life.backs_off_until = Some((since_start(failed_at) + wait, moment.entry));
}

/// The shortest backoff that the task's policy allows, or that its holder asked for.
fn least_backoff(facts: &Facts<'_>, before: &Task, lease: LeaseId, entry: usize) -> u64 {
    let doubled = 1u64.checked_shl(before.retry_count);
    let first = before.retry.backoff.as_millis();
    let own = doubled.map_or(u64::MAX, |factor| first.saturating_mul(factor));
    let own = own.min(before.retry.backoff_cap.as_millis());
    let wishes = facts
        .calls
        .of_lease(lease)
        .filter(|item| item.asked < entry);
    let wishes = wishes.filter_map(|item| match item.ask {
        Ask::Fail { retry_after_ms, .. } => Some(retry_after_ms.unwrap_or(own)),
        _ => None,
    });
    wishes.min().unwrap_or(own)
}

fn begun(facts: &Facts<'_>, id: TaskId, moment: &Moment<'_>, life: &Life, findings: &mut Findings) {
    let (Some(skew), Some((until, failed))) = (facts.skew_ms(), life.backs_off_until) else {
        return;
    };
    let now = moment.at.millis();
    if now + skew + ROUNDING_MS < until {
        let what = format!(
            "task {id} began {} ms before the end of its backoff",
            until - now
        );
        findings.add(what, &[failed, moment.entry]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_task_is_tried_again_after_its_backoff_as_often_as_it_may() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Failed, 1_000);
        sample
            .at(1_100)
            .queued(1)
            .granted(1, 11)
            .end(1, Status::Dead, LeaseEnd::Expired);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_task_does_not_fail_more_often_than_it_may() {
        let mut sample = Sample::new();
        sample.submitted(1);
        for n in 0..3 {
            sample
                .at(n * 10_000)
                .granted(1, 10 + n)
                .retry(1, LeaseEnd::Expired, 4_000);
            sample
                .change(1, |task| task.retry_count = 1)
                .at(n * 10_000 + 8_000)
                .queued(1);
        }
        assert!(sample.finds(check, "failed 3 times"));
    }

    #[test]
    fn a_crash_of_a_worker_counts() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Expired, 1_000);
        let mut task = sample.task(1);
        task.retry_count = 0;
        let mut forgiving = Sample::new();
        forgiving.submitted(1).granted(1, 10).change(1, |own| {
            own.status = task.status;
            own.scheduled_at = task.scheduled_at;
            own.last_error = task.last_error.clone();
            own.lease = task.lease.clone();
        });
        assert!(forgiving.finds(check, "went from 0 to 0"));
    }

    #[test]
    fn a_backoff_is_not_cut_short() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Failed, 10);
        assert!(sample.finds(check, "is not to wait"));
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Failed, 1_000);
        sample.at(500).queued(1).granted(1, 11);
        assert!(sample.finds(check, "before the end of its backoff"));
    }
}
