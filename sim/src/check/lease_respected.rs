//! No lease is expired while its holder's clock says that it is valid, within `max_clock_skew`.

use russet_core::{LeaseEnd, Task};

use super::Violation;
use super::calls::Grant;
use super::facts::Facts;
use super::findings::Findings;
use super::timeline::{Moment, named};
use crate::history::{Answer, Ask};

pub(super) const PROMISE: &str = "lease-respected";

/// Clocks show whole milliseconds.
const ROUNDING_US: u64 = 1_000;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    if facts.skew_ms().is_none() {
        return findings.done();
    }
    for (_, moment) in facts.moments() {
        let (Some(before), Some((lease, LeaseEnd::Expired))) = (moment.before, moment.ended())
        else {
            continue;
        };
        // Whoever was never told of a lease does not count on it.
        if let Some(grant) = facts.calls.grants.get(&lease.id) {
            expired(facts, moment, before, grant, &mut findings);
        }
    }
    findings.done()
}

fn expired(
    facts: &Facts<'_>,
    moment: &Moment<'_>,
    task: &Task,
    grant: &Grant,
    findings: &mut Findings,
) {
    let usual = task.lease_duration.as_millis();
    let lasts = grant.lease_ms.unwrap_or(grant.granted.lasts_ms);
    let mut until = grant.asked_at.0 + lasts * 1_000;
    let mut shown_by = vec![grant.asked, grant.answered, moment.entry];
    for item in facts.calls.of_lease(grant.granted.lease) {
        let Ask::Extend { lease_ms, .. } = item.ask else {
            continue;
        };
        let extended = item
            .done()
            .filter(|r| matches!(r.answer, Answer::Extended { .. }));
        let Some(replied) = extended.filter(|_| item.asked < moment.entry) else {
            continue;
        };
        until = match lease_ms {
            Some(ms) => item.asked_at.0 + ms * 1_000,
            None => until.max(item.asked_at.0 + usual * 1_000),
        };
        shown_by.truncate(3);
        shown_by.extend([item.asked, replied.entry]);
    }
    if let Some(timeout) = task.timeout {
        until = until.min(grant.asked_at.0 + timeout.as_millis() * 1_000);
    }
    if moment.at.0 + ROUNDING_US < until {
        let what = format!(
            "the lease of {} was ended as expired {} ms before its holder, {}, had to give it up",
            named(task.id, task.attempt),
            (until - moment.at.0) / 1_000,
            grant.worker
        );
        findings.add(what, &shown_by);
    }
}

#[cfg(test)]
mod tests {
    use russet_core::Millis;

    use super::super::sample::{Sample, extend, extended};
    use super::*;
    use crate::history::Actor;
    use crate::plan::Plan;

    #[test]
    fn a_lease_may_be_ended_when_its_time_is_over() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10).at(20_000);
        sample
            .call(Actor::Worker(0), extend(10), extended(false))
            .at(50_000)
            .retry(1, LeaseEnd::Expired, 0);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_lease_is_not_ended_before() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .at(29_000)
            .retry(1, LeaseEnd::Expired, 0);
        assert!(sample.finds(check, "before its holder"));
    }

    #[test]
    fn a_heartbeat_keeps_a_lease_alive() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10).at(20_000);
        sample
            .call(Actor::Worker(0), extend(10), extended(false))
            .at(40_000)
            .retry(1, LeaseEnd::Expired, 0);
        assert!(sample.finds(check, "before its holder"));
    }

    #[test]
    fn an_attempt_may_be_ended_at_its_timeout_and_not_before() {
        let ended_at = |ms| {
            let mut sample = Sample::new();
            sample.submitted_as(1, |task| task.timeout = Some(Millis::new(5_000)));
            sample.granted(1, 10).at(ms).retry(1, LeaseEnd::Expired, 0);
            sample
        };
        assert_eq!(ended_at(5_100).check(check), []);
        assert!(ended_at(4_000).finds(check, "before its holder"));
    }

    #[test]
    fn nothing_is_promised_when_clocks_are_beyond_the_bound() {
        let mut sample = Sample::new();
        sample.plan = Plan {
            faults: [(crate::history::FaultKind::ClockBeyond, 1)].into(),
            ..sample.plan
        };
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Expired, 0);
        assert_eq!(sample.check(check), []);
    }
}
