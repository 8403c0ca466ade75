//! What the rules say, written once more and from the words of the design alone: what a task in
//! some state answers to a command, and what it becomes.

use russet_core::{ErrorKind, LeaseEnd, LeaseId, Status, Task};

use crate::history::{Ask, redrive_number};

/// As much of a task as the answers depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub status: Status,
    pub attempt: u64,
    /// The newest lease, and how it ended.
    pub lease: Option<(LeaseId, Option<LeaseEnd>)>,
    /// When the newest lease ends by a node's clock, unless it is extended.
    pub ends_at_ms: u64,
    pub retries: u32,
    pub max_retries: u32,
    pub cancelling: bool,
    pub redriven_by: Option<u64>,
    /// It ended because a dependency could not be satisfied.
    pub was_let_down: bool,
    /// It waits for others, or others for it.
    pub is_tied: bool,
    /// A key names it, or its workflow may have one.
    pub is_named: bool,
}

impl State {
    pub fn of(task: &Task) -> Self {
        let lease = task.lease.as_deref();
        let ends = lease.map(|lease| {
            lease
                .deadline
                .unwrap_or(lease.expires_at)
                .min(lease.expires_at)
        });
        let error = task.last_error.as_deref().map(|error| error.kind);
        Self {
            status: task.status,
            attempt: task.attempt,
            lease: lease.map(|lease| (lease.id, lease.ended)),
            ends_at_ms: ends.map_or(0, |at| at.as_millis()),
            retries: task.retry_count,
            max_retries: task.retry.max_retries,
            cancelling: task.cancel_requested,
            redriven_by: task.redriven_by,
            was_let_down: error == Some(ErrorKind::DependencyUnsatisfied),
            is_tied: task.dependencies.total > 0 || task.dependents.total > 0,
            is_named: task.idempotency.is_some() || task.workflow.is_some(),
        }
    }

    pub fn is_held_by(&self, lease: LeaseId) -> bool {
        self.status == Status::Running && self.lease == Some((lease, None))
    }

    fn ended_as(&self, lease: LeaseId, end: LeaseEnd) -> bool {
        self.lease == Some((lease, Some(end)))
    }

    /// Whether a redrive means it; those that somebody `cancelled` only when it says so.
    pub fn can_rise(&self, cancelled: bool) -> bool {
        match self.status {
            Status::Dead => true,
            Status::Cancelled => self.was_let_down || cancelled,
            _ => false,
        }
    }

    fn end(mut self, end: LeaseEnd, status: Status) -> Self {
        self.lease = self.lease.map(|(id, _)| (id, Some(end)));
        self.status = status;
        self.cancelling &= !status.is_terminal();
        self
    }

    /// What a failure of the attempt leads to.
    fn failed(self, end: LeaseEnd, kind: ErrorKind) -> Vec<Self> {
        if self.cancelling {
            return vec![self.end(end, Status::Cancelled)];
        }
        if kind == ErrorKind::Final || self.retries >= self.max_retries {
            return vec![self.end(end, Status::Dead)];
        }
        let mut again = self;
        again.retries += 1;
        ready(again.end(end, Status::Scheduled))
    }

    /// What happens by itself: time goes by, others end, and somebody is granted the task.
    pub fn by_itself(self, newest: Option<(LeaseId, u64)>) -> Vec<Self> {
        match self.status {
            Status::Blocked => {
                let mut next = ready(self);
                let ends = [
                    (Status::Cancelled, true),
                    (Status::Cancelled, false),
                    (Status::Dead, true),
                ];
                next.extend(ends.map(|(status, was_let_down)| Self {
                    status,
                    was_let_down,
                    ..self
                }));
                next
            }
            Status::Scheduled => vec![
                Self {
                    status: Status::Queued,
                    ..self
                },
                Self {
                    status: Status::Dead,
                    ..self
                },
            ],
            Status::Queued => {
                let granted = newest.map(|(lease, attempt)| Self {
                    status: Status::Running,
                    attempt,
                    lease: Some((lease, None)),
                    ..self
                });
                let died = Self {
                    status: Status::Dead,
                    ..self
                };
                granted.into_iter().chain([died]).collect()
            }
            Status::Running => self.failed(LeaseEnd::Expired, ErrorKind::LeaseExpired),
            _ => Vec::new(),
        }
    }
}

/// Where a task may be that nobody holds.
fn ready(state: State) -> Vec<State> {
    let places = [Status::Scheduled, Status::Queued];
    let tied = state.is_tied.then_some(Status::Blocked);
    let all = places.into_iter().chain(tied);
    all.map(|status| State { status, ..state }).collect()
}

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is done, and the task is one of these.
    Done(Vec<State>),
    /// It is refused with one of these codes.
    Refused(&'static [&'static str]),
}

/// What a task in this state answers; `None`: it is not there.
pub(super) fn says(state: Option<&State>, ask: &Ask) -> Says {
    let Some(state) = state else {
        return Says::Refused(&["not_found"]);
    };
    const STALE: Says = Says::Refused(&["stale_lease"]);
    match ask {
        Ask::Get(_) => Says::Done(vec![*state]),
        Ask::Extend { lease, .. } if state.is_held_by(*lease) => Says::Done(vec![*state]),
        Ask::Complete { lease, .. } if state.is_held_by(*lease) => {
            Says::Done(vec![state.end(LeaseEnd::Completed, Status::Succeeded)])
        }
        Ask::Complete { lease, .. }
            if state.ended_as(*lease, LeaseEnd::Completed) && state.status == Status::Succeeded =>
        {
            Says::Done(vec![*state])
        }
        Ask::Fail { lease, kind, .. } if state.is_held_by(*lease) => {
            Says::Done(state.failed(LeaseEnd::Failed, *kind))
        }
        Ask::Fail { lease, .. } if state.ended_as(*lease, LeaseEnd::Failed) => {
            Says::Done(vec![*state])
        }
        Ask::Release { lease, .. } if state.is_held_by(*lease) => {
            Says::Done(match state.cancelling {
                true => vec![state.end(LeaseEnd::Released, Status::Cancelled)],
                false => ready(state.end(LeaseEnd::Released, Status::Queued)),
            })
        }
        Ask::Release { lease, .. } if state.ended_as(*lease, LeaseEnd::Released) => {
            Says::Done(vec![*state])
        }
        Ask::Extend { .. } | Ask::Complete { .. } | Ask::Fail { .. } | Ask::Release { .. } => STALE,
        Ask::Cancel(_) => cancel(state),
        Ask::Redrive {
            request_id,
            cancelled,
            ..
        } => redrive(state, request_id.as_deref(), *cancelled),
        Ask::Purge(_) if state.status.is_terminal() => Says::Done(vec![*state]),
        Ask::Purge(_) => Says::Refused(&["wrong_status"]),
        _ => Says::Done(vec![*state]),
    }
}

fn cancel(state: &State) -> Says {
    match state.status {
        Status::Succeeded | Status::Dead => Says::Refused(&["wrong_status"]),
        Status::Cancelled => Says::Done(vec![*state]),
        Status::Running => Says::Done(vec![State {
            cancelling: true,
            ..*state
        }]),
        _ => Says::Done(vec![State {
            status: Status::Cancelled,
            ..*state
        }]),
    }
}

fn redrive(state: &State, request: Option<&str>, cancelled: bool) -> Says {
    let number = request.map(redrive_number);
    // Without a name a repetition inside the node is not told from others.
    let again = match number {
        Some(number) => state.redriven_by == Some(number),
        None => state.redriven_by.is_some() && state.status != Status::Dead,
    };
    match state.can_rise(cancelled) {
        _ if again => Says::Done(vec![*state]),
        true => {
            let redriven_by = number.or(Some(0));
            let revived = State {
                retries: 0,
                was_let_down: false,
                redriven_by,
                ..*state
            };
            Says::Done(ready(revived))
        }
        false => Says::Refused(&["wrong_status"]),
    }
}
