use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use russet_core::TaskId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::attempt::Hold;
use super::board::{Board, LeaseState};
use super::{Phase, Room, Steps, TaskFailure};
use crate::wire::{Json, ProgressReport, SubmitTask, TaskView};
use crate::{Client, Error, TaskKind};

/// What a handler is given: its task, and how to speak about it. Clones are the same.
#[derive(Clone)]
pub struct TaskContext(Arc<Inner>);

struct Inner {
    task: TaskView,
    client: Client,
    board: Arc<Board>,
    hold: Hold,
    /// Until the handler has ended.
    room: Mutex<Option<Room>>,
    keeps_room: AtomicBool,
    checkpoint: Mutex<Option<Json>>,
    follow_ups: Mutex<Vec<SubmitTask>>,
}

impl TaskContext {
    pub(super) fn new(
        task: TaskView,
        client: Client,
        board: Arc<Board>,
        room: Room,
        hold: Hold,
    ) -> Self {
        let progress = task.progress.as_ref();
        let checkpoint = progress.and_then(|progress| progress.checkpoint.clone());
        Self(Arc::new(Inner {
            task,
            client,
            board,
            hold,
            room: Mutex::new(Some(room)),
            keeps_room: AtomicBool::new(false),
            checkpoint: Mutex::new(checkpoint),
            follow_ups: Mutex::default(),
        }))
    }

    /// The task, as it was when it was leased.
    pub fn task(&self) -> &TaskView {
        &self.0.task
    }

    /// The task's id: the same in every attempt.
    pub fn id(&self) -> TaskId {
        self.0.task.id
    }

    /// The fencing token: it grows with every attempt. A store that keeps the largest one it
    /// has seen can refuse writes of older attempts.
    pub fn attempt(&self) -> u64 {
        self.0.task.attempt
    }

    /// A client of the scheduler that the task came from.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The payload; a task without one has the payload `null`.
    ///
    /// # Errors
    /// A payload of another shape.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let payload = self.0.task.payload.as_ref();
        let text = payload.map_or("null", Json::as_str);
        serde_json::from_str(text).map_err(|e| Error::json("the payload", e))
    }

    /// A key for calls to other systems that must take effect once, however often the task is
    /// attempted: the same in every attempt, another for each `step`.
    pub fn idempotency_key(&self, step: &str) -> String {
        format!("{}:{step}", self.id())
    }

    /// The result of a task that this one depended on.
    ///
    /// # Errors
    /// [`Error::Ended`] when it has none, and a result of another type.
    pub async fn result_of<T: TaskKind>(&self, task: TaskId) -> Result<T::Output, Error> {
        self.0
            .client
            .result::<T>(task, std::time::Duration::ZERO)
            .await
    }

    /// The tasks that this one depended on, in no particular order; those that are no longer
    /// kept are left out.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn parents(&self) -> Result<Vec<TaskView>, Error> {
        let edges = &self.0.task.dependencies;
        let mut parents = Vec::with_capacity(edges.len());
        for edge in edges {
            parents.extend(self.0.client.get(edge.task).await?);
        }
        Ok(parents)
    }

    /// Whether the handler should stop: its task was cancelled, or its lease is lost.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled(&self.0.hold.state.borrow())
    }

    /// Waits until the handler should stop. The handler may clean up and return
    /// [`TaskFailure::cancelled`]; when its lease is lost it is dropped where it awaits.
    pub async fn cancelled(&self) {
        let mut state = self.0.hold.state.clone();
        // An entry that is gone counts as cancelled too.
        let _ = state.wait_for(is_cancelled).await;
    }

    /// Whether the worker is stopping: a long handler may save a checkpoint and return
    /// [`TaskFailure::cancelled`] to be continued elsewhere.
    pub fn is_draining(&self) -> bool {
        *self.0.hold.phase.borrow() != Phase::Working
    }

    /// Waits until the worker is stopping.
    pub async fn draining(&self) {
        let mut phase = self.0.hold.phase.clone();
        // A worker that is gone has stopped too.
        let _ = phase.wait_for(|phase| *phase != Phase::Working).await;
    }

    /// The room that the task takes here, for work that outlives the handler, such as a process
    /// that is still stopping: before this is dropped, the worker starts nothing in it, does not
    /// end, and does not give back the task of a handler that it dropped. `None` when the handler
    /// has ended.
    pub fn room(&self) -> Option<Room> {
        lock(&self.0.room).clone()
    }

    /// Keeps the task's room until its end is recorded. Otherwise it is given to another ready
    /// task as soon as the handler has ended, which saves time, but is too early for a more
    /// urgent task that becomes ready by this one's end.
    pub fn keep_room(&self) {
        self.0.keeps_room.store(true, Ordering::Relaxed);
    }

    /// The handler has ended; returns the room, and whether it is to be kept until that is
    /// recorded.
    pub(super) fn leave(&self) -> (Option<Room>, bool) {
        let keeps = self.0.keeps_room.load(Ordering::Relaxed);
        (lock(&self.0.room).take(), keeps)
    }

    /// Says how far the work is, from 0 to 100, and what it does. Sent with the next
    /// heartbeat, so it may be called as often as one likes.
    pub fn progress(&self, percent: u8, message: impl Into<String>) {
        let news = ProgressReport {
            percent: Some(percent.min(100)),
            message: Some(cut(message.into())),
            checkpoint: None,
        };
        self.0.board.report(self.0.hold.lease, news, None);
    }

    /// Keeps where a later attempt can go on; when this returns `Ok`, it is kept.
    ///
    /// # Errors
    /// A failure to return from the handler: the checkpoint is not kept, because the lease is
    /// lost or because it cannot be.
    pub async fn checkpoint<T: Serialize + ?Sized>(&self, at: &T) -> Result<(), TaskFailure> {
        let json = Json::new(at).map_err(TaskFailure::final_)?;
        let news = ProgressReport {
            checkpoint: Some(json.clone()),
            ..ProgressReport::default()
        };
        let (waiting, kept) = oneshot::channel();
        self.0.board.report(self.0.hold.lease, news, Some(waiting));
        match kept.await {
            Ok(Ok(())) => {
                *lock(&self.0.checkpoint) = Some(json);
                Ok(())
            }
            Ok(Err(refused)) => Err(TaskFailure::final_(refused)),
            Err(_) => Err(TaskFailure::retry("the lease is lost")),
        }
    }

    /// What was last kept by [`Self::checkpoint`], in this attempt or an earlier one.
    ///
    /// # Errors
    /// A checkpoint of another shape.
    pub fn saved<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let saved = lock(&self.0.checkpoint);
        let parsed = saved.as_ref().map(Json::parse).transpose();
        parsed.map_err(|e| Error::json("the checkpoint", e))
    }

    /// Work in steps of which each takes effect once; they use the checkpoint.
    ///
    /// # Errors
    /// A checkpoint that was not kept by steps.
    pub fn steps(&self) -> Result<Steps, TaskFailure> {
        Steps::new(self.clone())
    }

    /// Submits a task together with the completion of this one: both happen, or neither. It
    /// lives in the same partition and joins the same workflow.
    pub fn follow_up(&self, task: SubmitTask) {
        lock(&self.0.follow_ups).push(task);
    }

    pub(super) fn take_follow_ups(&self) -> Vec<SubmitTask> {
        std::mem::take(&mut lock(&self.0.follow_ups))
    }
}

fn is_cancelled(state: &LeaseState) -> bool {
    state.cancel_requested || state.lost
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `message` within the length that is kept.
fn cut(mut message: String) -> String {
    let mut end = message
        .len()
        .min(russet_core::limits::PROGRESS_MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    message
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.0.task;
        write!(
            f,
            "TaskContext({} {} attempt {})",
            task.kind, task.id, task.attempt
        )
    }
}
