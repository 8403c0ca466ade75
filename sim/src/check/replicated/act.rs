//! What somebody was told is done to a task, and where that can be seen.

use russet::wire::ProgressReport;
use russet_core::{Lease, LeaseEnd, LeaseId, Progress, Status, Task, TaskId, Timestamp};

use super::trail::{Effect, Trail};
use crate::check::calls::{Item, lease_of};
use crate::check::facts::Facts;
use crate::check::names::member_id;
use crate::check::timeline::Moment;
use crate::history::{Answer, Ask};

/// What was done to a task.
pub(super) enum Act<'a> {
    /// It is there.
    Submission,
    Grant(LeaseId),
    /// The lease was ended by whoever held it.
    End(LeaseId),
    /// The lease lasts until then at least, and the news of its holder are kept.
    Heartbeat {
        lease: LeaseId,
        until: Timestamp,
        news: Option<&'a ProgressReport>,
    },
    /// It is cancelled, or its holder in this attempt is asked to stop.
    Cancellation {
        status: Status,
        attempt: u64,
    },
    /// It is gone, it has ended, or its holder is asked to stop.
    Stop,
    /// It has got a new life, by the redrive of this number.
    Redrive(Option<u64>),
    /// It is forgotten, or its retention is over.
    Purge,
}

impl<'a> Act<'a> {
    /// What an answer says was done, and to which tasks. What is asked of a
    /// whole workflow or queue is looked for elsewhere.
    pub fn all(item: &Item<'a>, answer: &Answer) -> Vec<(Self, TaskId)> {
        match (item.ask, answer) {
            (Ask::Submit(_), Answer::Submitted { task: Some(id), .. }) => {
                vec![(Self::Submission, *id)]
            }
            (
                Ask::SubmitWorkflow(asked),
                Answer::Submitted {
                    workflow: Some(id), ..
                },
            ) => {
                let members = (0..asked.tasks.len()).map(|at| member_id(*id, at));
                members.map(|task| (Self::Submission, task)).collect()
            }
            (
                Ask::Complete { task, .. } | Ask::Fail { task, .. } | Ask::Release { task, .. },
                Answer::Now { .. },
            ) => {
                let lease = lease_of(item.ask).into_iter();
                lease.map(|lease| (Self::End(lease), *task)).collect()
            }
            (
                Ask::Extend {
                    task,
                    lease,
                    progress,
                    ..
                },
                Answer::Extended { expires_at, .. },
            ) => {
                let (lease, until, news) = (*lease, *expires_at, progress.as_ref());
                vec![(Self::Heartbeat { lease, until, news }, *task)]
            }
            (Ask::Cancel(task), Answer::Now { status, attempt }) => {
                let (status, attempt) = (*status, *attempt);
                vec![(Self::Cancellation { status, attempt }, *task)]
            }
            (Ask::Purge(task), Answer::Now { .. }) => vec![(Self::Purge, *task)],
            _ => Vec::new(),
        }
    }

    /// What became of it, when it was asked for and told of at these entries.
    pub fn effect(&self, facts: &Facts<'_>, task: TaskId, asked: usize, told: usize) -> Effect {
        let Some(timeline) = facts.tasks.get(&task) else {
            return Effect::Unseen;
        };
        let moments = &timeline.moments;
        let states = moments.iter().map(|moment| (moment.entry, moment.after));
        let shows = |task: Option<&Task>| match task {
            Some(task) => self.shows_in(task),
            None => matches!(self, Self::Stop),
        };
        let hides = |at: usize| self.may_hide_in(&moments[at]);
        Trail::of(facts, states).effect(asked, told, shows, hides)
    }

    /// Whether a task in this state shows it.
    fn shows_in(&self, task: &Task) -> bool {
        let lease = task.lease.as_deref();
        let is_of = |own: LeaseId| lease.is_some_and(|lease| lease.id == own);
        match self {
            Self::Submission => true,
            Self::Grant(own) => is_of(*own),
            Self::End(own) => is_of(*own) && lease.is_some_and(has_ended),
            Self::Heartbeat { lease, until, news } => {
                lasts(task, *lease, *until) && news.is_none_or(|news| is_kept(news, task))
            }
            Self::Cancellation { status, attempt } => {
                let cancelled = task.cancel_requested || task.status == Status::Cancelled;
                cancelled && (task.status, task.attempt) == (*status, *attempt)
            }
            Self::Stop => task.cancel_requested || task.status.is_terminal(),
            Self::Redrive(number) => match number {
                Some(_) => task.redriven_by == *number,
                None => task.redriven_by.is_some(),
            },
            Self::Purge => {
                let is_over = |at: Timestamp| at <= task.updated_at;
                task.status.is_terminal() && task.purge_at.is_some_and(is_over)
            }
        }
    }

    /// Whether a commit that does not show it may have done it, and more, which hides it.
    fn may_hide_in(&self, moment: &Moment<'_>) -> bool {
        let lost = |own: LeaseId| moment.lost_sight_of().is_some_and(|lease| lease.id == own);
        let is_another = || moment.forgotten().is_some() || moment.redriven().is_some();
        match self {
            Self::Submission | Self::Grant(_) => false,
            Self::End(own) => lost(*own),
            Self::Heartbeat { lease, until, .. } => {
                // Another heartbeat may have told more.
                let lasts = moment.after.is_some_and(|task| lasts(task, *lease, *until));
                let progress = |task: Option<&Task>| task.map(|task| task.progress.clone());
                lost(*lease) || lasts && progress(moment.before) != progress(moment.after)
            }
            Self::Cancellation { status, .. } => {
                let stopped = || *status == Status::Running && moment.finished().is_some();
                is_another() || stopped()
            }
            Self::Stop | Self::Redrive(_) => is_another(),
            Self::Purge => {
                // It was looked at in the same commit, and is kept because others are live.
                let kept_until = |task: Option<&Task>| task.and_then(|task| task.purge_at);
                is_another() || kept_until(moment.before) != kept_until(moment.after)
            }
        }
    }
}

fn has_ended(lease: &Lease) -> bool {
    lease.ended.is_some_and(|end| end != LeaseEnd::Expired)
}

/// Whether the task is, or was last, held by this lease, and for as long.
fn lasts(task: &Task, own: LeaseId, until: Timestamp) -> bool {
    let lease = task.lease.as_deref();
    lease.is_some_and(|lease| lease.id == own && lease.expires_at >= until)
}

/// Whether the task keeps what its holder told of its progress.
fn is_kept(news: &ProgressReport, task: &Task) -> bool {
    let news = Progress::from(news.clone());
    let kept = task.progress.as_deref().cloned().unwrap_or_default();
    (news.percent.is_none() || news.percent == kept.percent)
        && (news.message.is_none() || news.message == kept.message)
        && (news.checkpoint.is_none() || news.checkpoint == kept.checkpoint)
}
