//! An acknowledged task reaches exactly one terminal state, once enough of the system is
//! healthy.

use std::collections::BTreeMap;

use russet_core::{Status, TaskId, WorkflowId};

use super::Violation;
use super::calls::{Item, Replied};
use super::facts::{Facts, since_start};
use super::findings::Findings;
use super::names::{follow_up_id, member_id, partition_of_key};
use super::timeline::Moment;
use crate::history::{Answer, Ask};

pub(super) const PROMISE: &str = "no-loss";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let made = Made::of(facts);
    for item in &facts.calls.items {
        if let Some(replied) = item.done() {
            acknowledged(facts, &made, item, replied, &mut findings);
        }
    }
    for (id, timeline) in &facts.tasks {
        for moment in &timeline.moments {
            forgotten(facts, *id, moment, &mut findings);
        }
        let Some(task) = timeline.last().filter(|task| !task.status.is_terminal()) else {
            continue;
        };
        let what = format!("task {id} was still {} when the run ended", task.status);
        findings.add(what, &[timeline.last_entry()]);
    }
    findings.done()
}

/// When tasks were made, by what names them.
struct Made<'a> {
    /// By key and partition.
    keys: BTreeMap<(u16, &'a str), usize>,
    /// How many tasks a workflow got, and when it got the first.
    workflows: BTreeMap<WorkflowId, (usize, usize)>,
    ids: BTreeMap<TaskId, usize>,
}

impl<'a> Made<'a> {
    fn of(facts: &Facts<'a>) -> Self {
        let mut made = Self {
            keys: BTreeMap::new(),
            workflows: BTreeMap::new(),
            ids: BTreeMap::new(),
        };
        for (id, moment) in facts.moments() {
            let Some(task) = moment.created() else {
                continue;
            };
            made.ids.entry(id).or_insert(moment.entry);
            if let Some(known) = &task.idempotency {
                let place = (id.partition().0, known.key.as_str());
                let first = made.keys.entry(place).or_insert(moment.entry);
                *first = moment.entry.min(*first);
            }
            if let Some(workflow) = task.workflow {
                let known = made.workflows.entry(workflow).or_insert((0, moment.entry));
                *known = (known.0 + 1, known.1.min(moment.entry));
            }
        }
        made
    }
}

/// What was acknowledged is in the log before the acknowledgement.
fn acknowledged(
    facts: &Facts<'_>,
    made: &Made<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    findings: &mut Findings,
) {
    let known = |id: TaskId| made.ids.get(&id).is_some_and(|at| *at < replied.entry);
    match (item.ask, replied.answer) {
        (Ask::Submit(_), Answer::Submitted { task: Some(id), .. })
            if !known(*id) && !facts.calls.purged(*id, replied.entry) =>
        {
            let what = format!(
                "{} was told that task {id} is accepted, and the store never had it",
                item.who
            );
            findings.add(what, &item.shown_by());
        }
        (
            Ask::SubmitWorkflow(asked),
            Answer::Submitted {
                workflow: Some(id), ..
            },
        ) => {
            if let Some(given_up) = facts.given_up.get(id).filter(|at| **at > replied.entry) {
                let what = format!(
                    "{} was told that workflow {id} is accepted, and then it was given up",
                    item.who
                );
                findings.add(what, &[replied.entry, *given_up]);
            }
            let all = asked.tasks.len();
            let kept = (0..all).filter(|at| known(member_id(*id, *at))).count();
            if kept < all {
                let what = format!(
                    "{} was told that workflow {id} is accepted, and the store had {kept} of its {all} tasks",
                    item.who
                );
                findings.add(what, &item.shown_by());
            }
        }
        (
            Ask::Complete {
                task,
                lease,
                follow_ups,
            },
            Answer::Now {
                status: Status::Succeeded,
                ..
            },
        ) => {
            let partitions = facts.run.plan.partitions;
            for (at, new) in follow_ups.iter().enumerate() {
                let id = new.id.unwrap_or(follow_up_id(*task, *lease, at));
                let keyed = new.idempotency_key.as_deref().is_some_and(|key| {
                    let own = (task.partition().0, key);
                    let chosen = (partition_of_key(key, partitions).0, key);
                    made.keys.contains_key(&own) || made.keys.contains_key(&chosen)
                });
                if !known(id) && !keyed {
                    let what = format!(
                        "the completion of task {task} was accepted, and its follow-up {id} never existed"
                    );
                    findings.add(what, &item.shown_by());
                }
            }
        }
        _ => {}
    }
}

/// A task is forgotten only after its end and its retention, unless somebody asked for it.
fn forgotten(facts: &Facts<'_>, id: TaskId, moment: &Moment<'_>, findings: &mut Findings) {
    let Some(task) = moment.forgotten().filter(|task| !facts.is_given_up(task)) else {
        return;
    };
    let asked = |item: &Item<'_>| matches!(item.ask, Ask::Purge(_)) && item.asked < moment.entry;
    if facts.calls.of_task(id).any(asked) {
        return;
    }
    let Some(ended) = task.completed_at.filter(|_| task.status.is_terminal()) else {
        let what = format!("task {id} was forgotten while it was {}", task.status);
        findings.add(what, &[moment.entry]);
        return;
    };
    let config = facts.queue(id.partition(), &task.queue, moment.entry);
    let usual = config.map(|queue| queue.config.clone()).unwrap_or_default();
    let keep = match task.status {
        Status::Dead => usual.keep_dead,
        _ => usual.keep_finished,
    };
    // A setting that was changed after the end does not reach back.
    let keep = match (task.retention, config) {
        (Some(own), _) => own,
        (None, None) => keep,
        (None, Some(_)) => return,
    };
    let Some(skew) = facts.skew_ms() else {
        return;
    };
    let due = since_start(ended + keep);
    if moment.at.millis() + skew < due {
        let early = due - moment.at.millis();
        let what = format!("task {id} was forgotten {early} ms before its retention was over");
        findings.add(what, &[moment.entry]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, id, lease, submit};
    use super::*;
    use crate::history::Actor;

    #[test]
    fn a_task_that_ends_and_is_kept_is_not_lost() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10).completed(1, 10);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn an_acknowledged_task_that_the_store_never_had_is_lost() {
        let mut sample = Sample::new();
        let accepted = Answer::Submitted {
            task: Some(id(1)),
            workflow: None,
            existing: false,
        };
        sample.call(Actor::Client(0), Ask::Submit(Box::new(submit(1))), accepted);
        assert!(sample.finds(check, "the store never had it"));
    }

    #[test]
    fn a_task_that_never_ends_is_lost() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10);
        assert!(sample.finds(check, "still running"));
    }

    #[test]
    fn a_task_is_not_forgotten_before_its_time_unless_somebody_asks() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .completed(1, 10)
            .forget(1);
        assert!(sample.finds(check, "before its retention"));
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10).completed(1, 10);
        let gone = Answer::Now {
            status: Status::Succeeded,
            attempt: 1,
        };
        let call = sample.ask(Actor::Client(0), Ask::Purge(id(1)));
        sample.forget(1).answer(call, gone);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_live_task_is_not_forgotten() {
        let mut sample = Sample::new();
        sample.submitted(1).forget(1);
        assert!(sample.finds(check, "while it was queued"));
    }

    #[test]
    fn follow_ups_of_an_accepted_completion_exist() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10);
        let complete = Ask::Complete {
            task: id(1),
            lease: lease(10),
            follow_ups: vec![submit(2)],
        };
        let call = sample.ask(Actor::Worker(0), complete);
        sample.end(1, Status::Succeeded, russet_core::LeaseEnd::Completed);
        sample.answer(
            call,
            Answer::Now {
                status: Status::Succeeded,
                attempt: 1,
            },
        );
        assert!(sample.finds(check, "its follow-up"));
    }
}
