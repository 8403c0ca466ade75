//! Compares one answer with what the model says.

use russet::wire::TaskView;
use russet_core::{LeaseEnd, LeaseId, Status, Task, TaskId};

use super::submitted::expires;
use crate::check::calls::{Item, Replied, verb};
use crate::check::facts::{EPOCH_MS, Facts};
use crate::check::model::{Says, State, says};
use crate::check::timeline::{Moment, Timeline};
use crate::history::{Answer, Ask};

/// How many decisions one commit is taken for, at most.
const DECISIONS: usize = 4;

/// One answer to one question about one task.
pub(super) struct Look<'f, 'a> {
    pub facts: &'f Facts<'a>,
    pub item: &'f Item<'a>,
    pub replied: Replied<'a>,
    pub id: TaskId,
    pub timeline: &'f Timeline<'a>,
}

impl<'a> Look<'_, 'a> {
    pub fn is_right(&self) -> bool {
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
            (
                Answer::Extended {
                    cancel_requested, ..
                },
                Says::Done(next),
            ) => next
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
        let own = moment.after.or(moment.before);
        let calls = &self.facts.calls;
        let many = own.map(|task| {
            let redrives = calls.redrives_of(task, moment.entry).into_iter();
            redrives
                .chain(calls.cancels_of(task, moment.entry))
                .collect()
        });
        let many: Vec<_> = many.unwrap_or_default();
        let others: Vec<_> = others.map(|other| other.ask).chain(&many).collect();
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
    pub fn has_effect(&self) -> bool {
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
                // It may have been redriven in the same commit.
                Some(task) => {
                    let redriven = moment.redriven().is_some();
                    redriven || task.cancel_requested || task.status.is_terminal()
                }
                None => true,
            }),
            _ => true,
        }
    }

    pub fn sentence(&self) -> String {
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

    pub fn shown_by(&self) -> Vec<usize> {
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
    newest: Option<(LeaseId, u64)>,
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
        let all = Status::ALL.into_iter();
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

fn shows(view: &TaskView, state: &State) -> bool {
    let current = match state.lease {
        Some((lease, None)) if state.status == Status::Running => Some(lease),
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
            ..
        } => "to stop".to_owned(),
        Answer::Extended { .. } => "to go on".to_owned(),
        Answer::Refused { code, .. } => code.clone(),
        _ => "that it is done".to_owned(),
    }
}
