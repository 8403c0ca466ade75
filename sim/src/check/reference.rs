//! Every answer is one that the rules give at some moment between the question and the answer:
//! the rules as the model says them, on the tasks as the store's log says them.

use russet::wire::SubmitTask;
use russet_core::{LeaseEnd, Task, TaskId};

use super::Violation;
use super::calls::{Item, Replied, task_of, verb};
use super::facts::{EPOCH_MS, Facts};
use super::findings::Findings;
use super::model::{Says, State, says};
use super::timeline::{Moment, Timeline};
use crate::history::{Answer, Ask};

pub(super) const PROMISE: &str = "reference";

/// How many decisions one commit is taken for, at most.
const DECISIONS: usize = 4;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let nothing = Timeline::default();
    for item in &facts.calls.items {
        let Some(replied) = item.reply else {
            continue;
        };
        if let Ask::Submit(asked) = item.ask {
            submitted(facts, item, replied, asked, &mut findings);
            continue;
        }
        let Some(id) = task_of(item.ask) else {
            continue;
        };
        let look = Look {
            facts,
            item,
            replied,
            id,
            timeline: facts.tasks.get(&id).unwrap_or(&nothing),
        };
        if is_no_verdict(facts, replied.answer) {
            continue;
        }
        if look.timeline.at(replied.entry).is_none() && facts.calls.purged(id, replied.entry) {
            continue;
        }
        if !look.is_right() {
            findings.add(look.sentence(), &look.shown_by());
        } else if !look.has_effect() {
            let what = format!(
                "{} was told that its {} of task {id} is done, and it was not",
                item.who,
                verb(item.ask)
            );
            findings.add(what, &look.shown_by());
        }
    }
    findings.done()
}

/// Whether an answer says nothing about a task: it may be better to ask again later.
fn is_no_verdict(facts: &Facts<'_>, answer: &Answer) -> bool {
    match answer {
        Answer::Lost | Answer::NotSent => true,
        Answer::Refused { status: 413, .. } => facts.run.plan.transaction_changes.is_some(),
        Answer::Refused { status, .. } => *status == 0 || *status == 429 || *status >= 500,
        _ => false,
    }
}

/// One answer to one question about one task.
struct Look<'f, 'a> {
    facts: &'f Facts<'a>,
    item: &'f Item<'a>,
    replied: Replied<'a>,
    id: TaskId,
    timeline: &'f Timeline<'a>,
}

impl<'a> Look<'_, 'a> {
    fn is_right(&self) -> bool {
        let (from, to) = (self.item.asked, self.replied.entry);
        let mut states = self.timeline.states(from, to);
        if states.any(|task| self.fits(task.map(State::of).as_ref())) {
            return true;
        }
        let during = self.timeline.during(from, to).iter();
        during.into_iter().any(|moment| self.fits_within(moment))
    }

    /// Whether the answer is what the model says of the state.
    fn fits(&self, state: Option<&State>) -> bool {
        let says = says(state, self.item.ask);
        match (self.replied.answer, says) {
            (Answer::Task(view), Says::Done(_)) => state.is_some_and(|state| shows(view, state)),
            (Answer::Extended { cancel_requested }, Says::Done(next)) => next
                .iter()
                .any(|state| state.cancelling == *cancel_requested),
            (Answer::Now { status, attempt }, Says::Done(next)) => next
                .iter()
                .any(|state| (state.status, state.attempt) == (*status, *attempt)),
            (Answer::Refused { code, .. }, Says::Refused(codes)) => codes.contains(&code.as_str()),
            (Answer::Refused { code, .. }, Says::Done(_)) => {
                state.is_some_and(|state| self.may_refuse(state, code))
            }
            _ => false,
        }
    }

    /// Refusals that depend on more than the state of the task.
    fn may_refuse(&self, state: &State, code: &str) -> bool {
        match (self.item.ask, code) {
            (Ask::Extend { .. }, "stale_lease") => {
                // A lease whose time is over is stale before anybody ends it.
                let now = EPOCH_MS + self.replied.at.millis() + 1;
                self.facts
                    .skew_ms()
                    .is_none_or(|skew| now + skew >= state.ends_at_ms)
            }
            (Ask::Redrive { .. }, "wrong_status") => state.is_tied,
            (Ask::Redrive { .. }, "idempotency_conflict") => state.is_named,
            (Ask::Complete { follow_ups, .. }, "idempotency_conflict") => follow_ups
                .iter()
                .any(|task| task.id.is_some() || task.idempotency_key.is_some()),
            (Ask::Complete { follow_ups, .. }, "invalid") => follow_ups.iter().any(expires),
            (Ask::Complete { follow_ups, .. }, "dependency_not_found") => {
                follow_ups.iter().any(|task| !task.dependencies.is_empty())
            }
            _ => false,
        }
    }

    /// Whether the answer fits a state between two decisions of one commit. Those states were
    /// never stored: they follow from what else was asked for.
    fn fits_within(&self, moment: &Moment<'a>) -> bool {
        let mut seen = vec![moment.before.map(State::of)];
        let newest = moment
            .granted()
            .map(|(task, lease)| (lease.id, task.attempt));
        let others = self.facts.calls.of_task(self.id);
        let others =
            others.filter(|other| other.asked < moment.entry && other.call != self.item.call);
        let others: Vec<_> = others.map(|other| other.ask).collect();
        let mut start = 0;
        for _ in 0..DECISIONS {
            let end = seen.len();
            for at in start..end {
                for state in next(seen[at], moment.after, &others, newest) {
                    if !seen.contains(&state) {
                        seen.push(state);
                    }
                }
            }
            start = end;
        }
        seen.iter().any(|state| self.fits(state.as_ref()))
    }

    /// Whether what was said to be done is in the log by then.
    fn has_effect(&self) -> bool {
        let Answer::Now { .. } = self.replied.answer else {
            return true;
        };
        let own = self.timeline.moments.iter();
        let mut until = own.take_while(|moment| moment.entry <= self.replied.entry);
        let ended = |lease, end| {
            move |moment: &Moment<'_>| {
                let seen = moment
                    .ended()
                    .is_some_and(|(own, how)| own.id == lease && how == end);
                seen || moment.lost_sight_of().is_some_and(|own| own.id == lease)
            }
        };
        match self.item.ask {
            Ask::Complete { lease, .. } => until.any(ended(*lease, LeaseEnd::Completed)),
            Ask::Fail { lease, .. } => until.any(ended(*lease, LeaseEnd::Failed)),
            Ask::Release { lease, .. } => until.any(ended(*lease, LeaseEnd::Released)),
            Ask::Redrive { .. } => until.any(|moment| moment.redriven().is_some()),
            Ask::Cancel(_) => until.any(|moment| match moment.after {
                Some(task) => task.cancel_requested || task.status.is_terminal(),
                None => true,
            }),
            _ => true,
        }
    }

    fn sentence(&self) -> String {
        let states = self.timeline.states(self.item.asked, self.replied.entry);
        let mut was: Vec<_> = states
            .map(|task| match task {
                Some(task) => format!("{} at attempt {}", task.status, task.attempt),
                None => "not there".to_owned(),
            })
            .collect();
        was.dedup();
        format!(
            "{} wanted to {} task {} and was told {}, while it was {}",
            self.item.who,
            verb(self.item.ask),
            self.id,
            told(self.replied.answer),
            was.join(", then ")
        )
    }

    fn shown_by(&self) -> Vec<usize> {
        let during = self.timeline.during(self.item.asked, self.replied.entry);
        let before = self
            .timeline
            .moments
            .iter()
            .rfind(|moment| moment.entry <= self.item.asked);
        let seen = before
            .into_iter()
            .chain(during.iter().take(4))
            .map(|moment| moment.entry);
        self.item.shown_by().into_iter().chain(seen).collect()
    }
}

/// What a task may become by one decision.
fn next(
    state: Option<State>,
    after: Option<&Task>,
    others: &[&Ask],
    newest: Option<(russet_core::LeaseId, u64)>,
) -> Vec<Option<State>> {
    let Some(own) = state else {
        // It was submitted in this commit, and became what it is afterwards.
        let made = after.map(|task| State {
            attempt: 0,
            lease: None,
            cancelling: false,
            retries: 0,
            ..State::of(task)
        });
        let all = russet_core::Status::ALL.into_iter();
        return all
            .filter_map(|status| made.map(|made| Some(State { status, ..made })))
            .collect();
    };
    let mut all: Vec<_> = own.by_itself(newest).into_iter().map(Some).collect();
    for ask in others {
        if let Says::Done(done) = says(Some(&own), ask) {
            all.extend(done.into_iter().map(Some));
        }
        if matches!(ask, Ask::Purge(_)) && own.status.is_terminal() {
            all.push(None);
        }
    }
    all
}

fn shows(view: &russet::wire::TaskView, state: &State) -> bool {
    let current = match state.lease {
        Some((lease, None)) if state.status == russet_core::Status::Running => Some(lease),
        _ => None,
    };
    view.status == state.status
        && view.attempt == state.attempt
        && view.retry_count == state.retries
        && view.lease_id == current
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Task(view) => format!("that it is {} at attempt {}", view.status, view.attempt),
        Answer::Now { status, attempt } => format!("that it is {status} at attempt {attempt}"),
        Answer::Extended {
            cancel_requested: true,
        } => "to stop".to_owned(),
        Answer::Extended { .. } => "to go on".to_owned(),
        Answer::Refused { code, .. } => code.clone(),
        _ => "that it is done".to_owned(),
    }
}

/// The task of an accepted submission is there, and new when it is said to be.
fn submitted(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    asked: &SubmitTask,
    findings: &mut Findings,
) {
    match replied.answer {
        Answer::Submitted {
            task: Some(id),
            existing,
            ..
        } => {
            let Some(timeline) = facts.tasks.get(id) else {
                return;
            };
            let (from, to) = (item.asked, replied.entry);
            let was_there = timeline.states(from, to).flatten().next().is_some();
            let during = timeline.during(from, to).iter();
            let made = during.clone().any(|moment| moment.created().is_some());
            let wrong = match existing {
                false if !made => "is new, and it was not made then",
                _ if !was_there && !made => "is accepted, and it was not there then",
                _ => return,
            };
            findings.add(
                format!("{} was told that task {id} {wrong}", item.who),
                &item.shown_by(),
            );
        }
        Answer::Refused { code, .. } if !is_no_verdict(facts, replied.answer) => {
            let may_be = match code.as_str() {
                "idempotency_conflict" => asked.id.is_some() || asked.idempotency_key.is_some(),
                "dependency_not_found" => is_missing_parent(facts, item, replied, asked),
                "invalid" => expires(asked),
                _ => false,
            };
            if !may_be {
                let what = format!(
                    "{} submitted a task that could be accepted and was told {code}",
                    item.who
                );
                findings.add(what, &item.shown_by());
            }
        }
        _ => {}
    }
}

/// Whether a task expires, perhaps before it can start.
fn expires(asked: &SubmitTask) -> bool {
    asked.expires_in_ms.is_some() || asked.expires_at.is_some()
}

/// Whether a task that the new one waits for was not there at some time.
fn is_missing_parent(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    asked: &SubmitTask,
) -> bool {
    asked.dependencies.iter().any(|edge| {
        let parent = edge.task.parse::<TaskId>().ok();
        let timeline = parent.and_then(|parent| facts.tasks.get(&parent));
        timeline.is_none_or(|timeline| {
            timeline
                .states(item.asked, replied.entry)
                .any(|task| task.is_none())
        })
    })
}

#[cfg(test)]
mod tests;
