//! The bounded way into a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russet_core::{Command, NewTask, Progress, Record, Reply};
use tokio::sync::{mpsc, oneshot};

use crate::{EngineError, StoreError, limits};

/// The answer to one command.
pub(super) type Answer = Result<Reply, EngineError>;

/// Commands that one caller sent together; they are answered together.
pub(super) struct Request {
    pub commands: Vec<Command>,
    pub caller: Caller,
}

/// Who waits for the answers to a request. It holds a place in the intake until then.
pub(super) struct Caller {
    reply: oneshot::Sender<Vec<Answer>>,
    _place: Place,
}

impl Caller {
    pub fn answer(self, answers: Vec<Answer>) {
        // A caller that went away does not want its answers.
        let _ = self.reply.send(answers);
    }
}

/// Where callers leave their requests.
pub(super) struct Intake {
    requests: std::sync::Mutex<Option<mpsc::UnboundedSender<Request>>>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commands: AtomicUsize,
    bytes: AtomicUsize,
}

struct Place {
    waiting: Arc<Waiting>,
    commands: usize,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting
            .commands
            .fetch_sub(self.commands, Ordering::Relaxed);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Intake {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (requests, mailbox) = mpsc::unbounded_channel();
        let intake = Self {
            requests: std::sync::Mutex::new(Some(requests)),
            waiting: Arc::default(),
        };
        (intake, mailbox)
    }

    /// Leaves commands to be decided, or refuses them when too much is waiting. The last
    /// quarter of the room is kept for commands that finish work.
    pub async fn call(&self, commands: Vec<Command>) -> Result<Vec<Answer>, EngineError> {
        let place = self.reserve(&commands)?;
        let (reply, answer) = oneshot::channel();
        let caller = Caller {
            reply,
            _place: place,
        };
        let request = Request { commands, caller };
        let sender = self.requests.lock().map_or(None, |sender| sender.clone());
        let sent = sender.ok_or(EngineError::Stopping)?.send(request);
        sent.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| {
            let why = "the scheduler stopped before it answered".to_owned();
            StoreError::Indeterminate { why }.into()
        })
    }

    /// Leaves one command to be decided.
    pub async fn call_one(&self, command: Command) -> Answer {
        let mut answers = self.call(vec![command]).await?;
        answers.pop().unwrap_or(Err(EngineError::Stopping))
    }

    pub fn close(&self) {
        if let Ok(mut sender) = self.requests.lock() {
            *sender = None;
        }
    }

    fn reserve(&self, commands: &[Command]) -> Result<Place, EngineError> {
        let submits = commands.iter().any(|c| matches!(c, Command::Submit(_)));
        let (quarters, bytes) = (if submits { 3 } else { 4 }, commands.iter().map(size).sum());
        let place = Place {
            waiting: self.waiting.clone(),
            commands: commands.len(),
            bytes,
        };
        let ahead = self
            .waiting
            .commands
            .fetch_add(place.commands, Ordering::Relaxed);
        let ahead_bytes = self.waiting.bytes.fetch_add(place.bytes, Ordering::Relaxed);
        let room = limits::WAITING_COMMANDS / 4 * quarters;
        let room_bytes = limits::WAITING_BYTES / 4 * quarters;
        let fits = ahead + place.commands <= room && ahead_bytes + place.bytes <= room_bytes;
        // A request that finds nothing waiting is never too large.
        if fits || ahead == 0 {
            return Ok(place);
        }
        Err(EngineError::Overloaded {
            waiting: ahead,
            retry_after: limits::RETRY_AFTER,
        })
    }
}

/// About how many bytes a command carries.
fn size(command: &Command) -> usize {
    let text = |bytes: Option<&bytes::Bytes>| bytes.map_or(0, bytes::Bytes::len);
    let said = |progress: Option<&Progress>| {
        progress.map_or(0, |said| {
            text(said.checkpoint.as_ref()) + said.message.as_ref().map_or(0, String::len)
        })
    };
    match command {
        Command::Submit(submit) => tasks_size(&submit.tasks),
        Command::Complete(complete) => {
            text(complete.result.as_ref())
                + said(complete.progress.as_ref())
                + tasks_size(&complete.follow_ups)
        }
        Command::Extend(extend) => said(extend.progress.as_ref()),
        Command::Release(release) => said(release.progress.as_ref()),
        Command::Cancel(cancel) => cancel.reason.as_ref().map_or(0, String::len),
        Command::Fail(fail) => fail.message.len() + said(fail.progress.as_ref()),
        Command::Stage(stage) => stage.records.iter().map(|(_, record)| weight(record)).sum(),
        _ => 0,
    }
}

/// About how many bytes of a new record are the submitter's own.
fn weight(record: &Record) -> usize {
    match record {
        Record::Task(task) => task.payload.len() + task.metadata.len(),
        _ => 0,
    }
}

fn tasks_size(tasks: &[NewTask]) -> usize {
    let size = |task: &NewTask| {
        task.payload.len() + task.metadata.len() + size_of_val(task.dependencies.as_slice())
    };
    tasks.iter().map(size).sum()
}
