//! Waiting goes on while servers that were there are restarted: what asks again does no harm.

use std::time::Duration;

use russet::limits::WAIT_SLICE;
use russet::wire::TaskView;
use russet::{Client, Error};
use russet_core::{Status, TaskId};
use tokio::time::{Instant, sleep, timeout};

use super::tasks::explained;
use super::{CliError, Global, report};
use crate::text::aside;

/// How long no server may answer before waiting is given up.
const AWAY: Duration = Duration::from_secs(120);
/// How long a task is waited for before it is said why it has not started.
const SAY_WHY: Duration = Duration::from_secs(5);
/// How often a server is looked for that is away.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How much longer a server may be away.
pub(super) struct Patience {
    heard: Instant,
    told: bool,
}

impl Patience {
    /// A server has just answered.
    pub fn new() -> Self {
        Self {
            heard: Instant::now(),
            told: false,
        }
    }

    /// Pauses when the error says that no server is there now.
    ///
    /// # Errors
    /// The error, when it says something else, or when none was there for too long.
    pub async fn bear(&mut self, error: CliError) -> Result<(), CliError> {
        let is_away = match &error {
            CliError::Unreachable { .. } | CliError::Client(Error::Lost { .. }) => true,
            CliError::Refused(problem) => problem.status == 503,
            _ => false,
        };
        if !is_away || self.heard.elapsed() >= AWAY {
            return Err(error);
        }
        if !self.told {
            self.told = true;
            report::warnings(&[format!("the server is away; waiting goes on ({error})")]);
        }
        sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// A task that was there before: when it has ended, or as it is when `wait` is over.
///
/// # Errors
/// [`CliError::NotKept`] when it has ended and is not there any more.
pub(super) async fn ended(
    client: &Client,
    id: TaskId,
    wait: Duration,
    global: &Global,
) -> Result<TaskView, CliError> {
    let until = Instant::now() + wait;
    let mut patience = Patience::new();
    let mut slice = SAY_WHY;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match client.wait(id, left.min(slice)).await {
            Ok(task) if task.is_terminal() || left <= slice => return Ok(task),
            Ok(task) => {
                if slice == SAY_WHY {
                    // It is only a hint: the wait goes on without it.
                    let _ = timeout(left - slice, say_why(&task, global)).await;
                }
                slice = WAIT_SLICE;
                patience = Patience::new();
            }
            Err(error) => {
                let error = CliError::from(error).of_known(format_args!("task {id}"));
                if left.is_zero() {
                    return Err(error);
                }
                patience.bear(error).await?;
            }
        }
    }
}

/// Says why a task has not started, when that is not just because the workers are busy.
async fn say_why(task: &TaskView, global: &Global) {
    if global.quiet || task.status != Status::Queued {
        return;
    }
    let Ok(explained) = explained(task.id, global).await else {
        return;
    };
    let reason = explained.reasons.first();
    if let Some(reason) = reason.filter(|reason| reason.code != "waiting") {
        aside(format_args!("still waiting: {}", reason.detail));
    }
}
