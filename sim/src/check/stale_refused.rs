//! Extend, complete and fail from a stale lease are refused, and the worker is told.

use russet_core::{LeaseEnd, LeaseId, Status, Task};

use super::Violation;
use super::calls::{Item, Replied, lease_of, verb};
use super::facts::Facts;
use super::findings::Findings;
use super::timeline::{Timeline, held};
use crate::history::{Answer, Ask};

pub(super) const PROMISE: &str = "stale-refused";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    for (id, timeline) in &facts.tasks {
        for item in facts.calls.of_task(*id) {
            let (Some(lease), Some(replied)) = (lease_of(item.ask), item.reply) else {
                continue;
            };
            if !was_stale(timeline, item, replied, lease) {
                continue;
            }
            if let Some(wrong) = wrong(replied.answer) {
                let what = format!(
                    "{} wanted to {} task {id} with a lease that was stale, and {wrong}",
                    item.who,
                    verb(item.ask)
                );
                findings.add(what, &item.shown_by());
            }
        }
        revived(facts, timeline, &mut findings);
    }
    findings.done()
}

/// How far apart heartbeats of one commit may be: one may stand on another just before.
const TOGETHER_MS: u64 = 200;

/// A heartbeat prolongs no lease that had run out when it was decided, by its node's own clock.
fn revived(facts: &Facts<'_>, timeline: &Timeline<'_>, findings: &mut Findings) {
    let workers = facts.run.plan.workers.iter();
    let wished: Vec<u64> = workers.filter_map(|worker| worker.lease_ms).collect();
    for moment in &timeline.moments {
        let (Some(before), Some(after)) = (moment.before, moment.after) else {
            continue;
        };
        let (Some(old), Some(new)) = (held(before), held(after)) else {
            continue;
        };
        // The commit may hold later decisions than the heartbeat's, which ends with the lease.
        let lasts = wished
            .iter()
            .copied()
            .chain([after.lease_duration.as_millis()]);
        let heard = lasts.map(|ms| new.expires_at.as_millis().saturating_sub(ms));
        let heard = heard
            .min()
            .unwrap_or_default()
            .min(after.updated_at.as_millis());
        let ran_out = old.expires_at.as_millis() + TOGETHER_MS <= heard;
        if old.id == new.id && new.expires_at > old.expires_at && ran_out {
            let what = format!("the lease of task {} was prolonged after its end", after.id);
            findings.add(what, &[moment.entry]);
        }
    }
}

/// Whether the lease was stale all the time between the question and the answer.
fn was_stale(
    timeline: &Timeline<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    lease: LeaseId,
) -> bool {
    let mut states = timeline.states(item.asked, replied.entry).flatten();
    let fresh = states.any(|task| is_fresh(task, item.ask, lease));
    // It may have been granted and ended in one commit with others.
    let within = timeline.during(item.asked, replied.entry).iter();
    let seen = within.filter_map(|moment| moment.before);
    !fresh && !seen.into_iter().any(|task| is_fresh(task, item.ask, lease))
}

/// Whether the lease is the current one, or ended as the question asks for.
fn is_fresh(task: &Task, ask: &Ask, lease: LeaseId) -> bool {
    if held(task).is_some_and(|held| held.id == lease) {
        return true;
    }
    let newest = task.lease.as_deref().filter(|newest| newest.id == lease);
    let ended = newest.and_then(|newest| newest.ended);
    match ask {
        Ask::Complete { .. } => {
            ended == Some(LeaseEnd::Completed) && task.status == Status::Succeeded
        }
        Ask::Fail { .. } => ended == Some(LeaseEnd::Failed),
        Ask::Release { .. } => ended == Some(LeaseEnd::Released),
        _ => false,
    }
}

/// What is wrong with the answer to a stale lease.
fn wrong(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Lost | Answer::NotSent => None,
        Answer::Refused { code, status } => {
            let told = matches!(code.as_str(), "stale_lease" | "not_found");
            let later = *status == 0 || *status >= 413;
            (!told && !later).then(|| format!("was told {code} instead"))
        }
        _ => Some("it was accepted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, extend, extended, id, lease};
    use super::*;

    #[test]
    fn a_lease_that_has_run_out_is_not_prolonged() {
        let prolonged_at = |ms: u64| {
            let mut sample = Sample::new();
            sample.submitted(1).granted(1, 10);
            let now = sample.at(ms).clock();
            sample.change(1, |task| {
                task.updated_at = now;
                if let Some(lease) = task.lease.as_mut() {
                    lease.expires_at = now + russet_core::Millis::from_secs(3_600);
                }
            });
            !sample.check(check).is_empty()
        };
        assert!(!prolonged_at(100));
        assert!(prolonged_at(1_000_000));
    }
    use crate::history::Actor;

    fn taken_over() -> Sample {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Expired, 0)
            .queued(1);
        sample.granted(1, 11);
        sample
    }

    fn refused(code: &str) -> Answer {
        let (code, status) = (code.to_owned(), 409);
        Answer::Refused { code, status }
    }

    #[test]
    fn a_stale_lease_is_refused_and_a_current_one_is_not() {
        let mut sample = taken_over();
        sample.call(Actor::Worker(1), extend(10), refused("stale_lease"));
        sample.call(Actor::Worker(0), extend(11), extended(false));
        sample.completed(1, 11);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_stale_heartbeat_is_not_accepted() {
        let mut sample = taken_over();
        sample.call(Actor::Worker(1), extend(10), extended(false));
        assert!(sample.finds(check, "it was accepted"));
    }

    #[test]
    fn a_worker_with_a_stale_lease_is_told_that_it_is_stale() {
        let mut sample = taken_over();
        let ask = Ask::Fail {
            task: id(1),
            lease: lease(10),
            kind: russet_core::ErrorKind::Failed,
            retry_after_ms: None,
        };
        sample.call(Actor::Worker(1), ask, refused("wrong_status"));
        assert!(sample.finds(check, "was told wrong_status"));
    }
}
