use russet::wire::{ConfigureQueue, ProgressReport, SubmitTask, SubmitWorkflow, TaskView};
use russet_core::policy::Fingerprint;
use russet_core::{ErrorKind, LeaseId, Status, TaskId, Timestamp, WorkflowId};

/// One request to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What somebody asks for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Accept a task.
    Submit(Box<SubmitTask>),
    /// Accept a workflow.
    SubmitWorkflow(Box<SubmitWorkflow>),
    /// Grant tasks.
    Lease {
        /// Of these queues.
        queues: Vec<String>,
        /// At most so many.
        max: usize,
        /// How long leases last; as each task says when absent.
        lease_ms: Option<u64>,
    },
    /// Keep a lease alive.
    Extend {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: LeaseId,
        /// For how long; as the task says when absent.
        lease_ms: Option<u64>,
        /// What the holder says of its progress.
        progress: Option<ProgressReport>,
    },
    /// A task finished well.
    Complete {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: LeaseId,
        /// Tasks that are submitted with it.
        follow_ups: Vec<SubmitTask>,
    },
    /// An attempt failed.
    Fail {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: LeaseId,
        /// How.
        kind: ErrorKind,
        /// The worker's own wish for the backoff.
        retry_after_ms: Option<u64>,
    },
    /// A task is given back.
    Release {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: LeaseId,
        /// It is snoozed for so long.
        delay_ms: Option<u64>,
    },
    /// Cancel a task.
    Cancel(TaskId),
    /// Cancel every task of a workflow that has not ended.
    CancelWorkflow(WorkflowId),
    /// Give a dead task a new life.
    Redrive {
        /// The task.
        task: TaskId,
        /// What names the request, when it is sent again.
        request_id: Option<String>,
        /// The task is meant also when somebody cancelled it.
        cancelled: bool,
    },
    /// Give dead tasks a new life.
    RedriveAll {
        /// Those of this queue; of all when absent.
        queue: Option<String>,
        /// What names the request, when it is sent again.
        request_id: Option<String>,
    },
    /// Give the tasks of a workflow that failed a new life.
    RedriveWorkflow {
        /// The workflow.
        workflow: WorkflowId,
        /// What names the request, when it is sent again.
        request_id: Option<String>,
        /// The tasks that somebody cancelled are meant too.
        cancelled: bool,
    },
    /// Forget an ended task.
    Purge(TaskId),
    /// Show a task, perhaps after waiting for its end.
    Get(TaskId),
    /// Change a queue.
    Configure {
        /// The queue.
        queue: String,
        /// What changes.
        change: ConfigureQueue,
    },
    /// Anything else that changes nothing.
    Look,
}

/// The number that tasks keep of the redrive that is named by this text.
pub fn redrive_number(request_id: &str) -> u64 {
    let mut hash = Fingerprint::new();
    hash.add(request_id.as_bytes());
    let hash = hash.finish();
    (hash ^ (hash >> 64)) as u64
}

/// What somebody is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The task, or the workflow's tasks, are accepted.
    Submitted {
        /// The task; empty for a workflow.
        task: Option<TaskId>,
        /// The workflow.
        workflow: Option<WorkflowId>,
        /// They had been before.
        existing: bool,
    },
    /// Tasks were granted.
    Leased(Vec<Granted>),
    /// The lease lasts longer.
    Extended {
        /// When it expires now.
        expires_at: Timestamp,
        /// The holder is asked to stop.
        cancel_requested: bool,
    },
    /// Where the task is now: answers `Complete`, `Fail`, `Release`, `Cancel`, `Redrive` and `Purge`.
    Now {
        /// Its state.
        status: Status,
        /// Its newest attempt.
        attempt: u64,
    },
    /// The task as it is.
    Task(Box<TaskView>),
    /// So many of the tasks that a page showed as dead were given a new life.
    Redriven(u64),
    /// The workflow ends.
    WorkflowCancelled {
        /// How many of its tasks were cancelled.
        cancelled: u64,
        /// How many were running, and their holders are asked to stop.
        asked: u64,
    },
    /// The workflow goes on.
    WorkflowRedriven {
        /// How many of its tasks were given a new life, also by an earlier try of the request.
        redriven: u64,
        /// How many stay dead or cancelled.
        refused: u64,
        /// The first of those, each with the code that says why.
        refusals: Vec<(TaskId, String)>,
    },
    /// It was done; there is nothing more to say.
    Done,
    /// It was refused, and nothing was changed.
    Refused {
        /// The problem's code, such as `stale_lease`.
        code: String,
        /// The HTTP status. From 500 on it may have been done all the same.
        status: u16,
    },
    /// No answer came: it may or may not have been done.
    Lost,
    /// It was never sent.
    NotSent,
}

impl Answer {
    /// Whether it was done, for certain.
    pub fn is_done(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Lost | Self::NotSent)
    }

    /// Whether it was refused as coming from a stale lease.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "stale_lease")
    }
}

/// A grant, as the worker got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The task.
    pub task: TaskId,
    /// The fencing token.
    pub attempt: u64,
    /// The lease.
    pub lease: LeaseId,
    /// How long it lasts from when the worker asked, in milliseconds, when the worker's own
    /// time is right.
    pub lasts_ms: u64,
}
