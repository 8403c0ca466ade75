use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use russet_core::{Millis, Timestamp, planted};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::call::{Args, CallError, Reason, Refusal, array, bytes};
use super::dialer::{Dialer, answered};
use super::info::Info;
use super::running::Running;
use super::script::Script;
use crate::limits::{REDIS_BACKOFF, REDIS_BACKOFF_MAX, REDIS_REPLICA, REDIS_WAITS};

/// How many connections were made: no two of them have the same number.
static MADE: AtomicU64 = AtomicU64::new(0);
/// On which of them it was last told that the user may not do what a script does.
static TOLD: AtomicU64 = AtomicU64::new(0);

/// One connection to a primary that calls share. It is made anew whenever it is lost, and
/// given up whenever a call takes too long: what was sent on it may still be done.
pub(crate) struct Link {
    pub(crate) dialer: Arc<Dialer>,
    state: Mutex<State>,
    /// Held by whoever makes the connection.
    making: tokio::sync::Mutex<()>,
    /// How long a call may take.
    limit: Duration,
    /// Where calls wait for a replica: a turn for each that is under way.
    turns: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    failures: u32,
    retry_at: Timestamp,
    failed: Option<CallError>,
}

/// A connection that worked when it was looked at last.
#[derive(Clone)]
pub(crate) struct Live {
    connection: MultiplexedConnection,
    running: Arc<Running>,
    /// Which connection this is, of all that were ever made.
    pub(crate) number: u64,
    pub(crate) info: Arc<Info>,
    /// [`Info::reign`].
    pub(crate) reign: Arc<str>,
    /// Whether the node is asked for what another one is still giving to it.
    pub(crate) asking: bool,
}

impl Link {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Self {
        Self {
            limit: dialer.timeout,
            dialer,
            state: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            turns: None,
        }
    }

    /// One on which calls wait for a replica. The server answers them one after the other: so not
    /// many are under way, and the last one has the time that all before it may take.
    pub(crate) fn waiting(dialer: Arc<Dialer>) -> Self {
        let waits = u32::try_from(REDIS_WAITS).unwrap_or(u32::MAX);
        Self {
            limit: dialer.timeout + REDIS_REPLICA * waits,
            turns: Some(Arc::new(Semaphore::new(REDIS_WAITS))),
            ..Self::new(dialer)
        }
    }

    /// Comes when a call that waits for a replica may be sent here; it is over when this is
    /// dropped. At once where calls wait for none.
    pub(crate) async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, CallError> {
        let Some(turns) = self.turns.clone() else {
            return Ok(None);
        };
        tokio::select! {
            biased;
            // Nobody closes it: there is a turn in the end.
            turn = turns.acquire_owned() => Ok(turn.ok()),
            () = self.dialer.clock.sleep(self.dialer.timeout) => {
                let waited = self.dialer.timeout;
                let why = format!("commits before it still wait for a replica after {waited:?}");
                Err(CallError::Unreachable(why))
            }
        }
    }

    /// A connection, which is made if there is none. After a failure nobody tries for a while.
    pub(crate) async fn live(&self) -> Result<Live, CallError> {
        if let Some(known) = self.known() {
            return known;
        }
        let _making = self.making.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let made = self.dialer.login(None).await;
        let mut state = self.lock();
        match made {
            Ok((connection, running, info)) => {
                state.failures = 0;
                let live = Live {
                    connection,
                    running: Arc::new(running),
                    number: MADE.fetch_add(1, Ordering::Relaxed) + 1,
                    reign: info.reign().into(),
                    info: Arc::new(info),
                    asking: false,
                };
                state.live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to Redis could not be made");
                let longest = REDIS_BACKOFF_MAX.min(REDIS_BACKOFF * (1 << state.failures.min(10)));
                state.failures += 1;
                let pause = Millis::new(longest.as_millis() as u64);
                state.retry_at = self.dialer.clock.now() + pause;
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn known(&self) -> Option<Result<Live, CallError>> {
        let state = self.lock();
        if let Some(live) = &state.live {
            return Some(Ok(live.clone()));
        }
        let error = state.failed.clone()?;
        // A clock that was set back makes the pause no longer.
        let left = Duration::from(state.retry_at.since(self.dialer.clock.now()));
        (!left.is_zero() && left <= REDIS_BACKOFF_MAX).then_some(Err(error))
    }

    /// Runs a command.
    pub(crate) async fn command(&self, live: &Live, command: &Cmd) -> Result<Value, CallError> {
        if live.asking {
            let mut commands = redis::pipe();
            commands.add_command(command.clone());
            let answer = self.pipeline(live, &commands).await?.pop();
            return answered(answer.unwrap_or_default());
        }
        let mut connection = live.connection.clone();
        let sent = connection.send_packed_command(command);
        let answer = self.dialer.bounded_by(self.limit, sent).await;
        let answer = answer.and_then(answered);
        self.judge(live, answer)
    }

    /// Runs a command that changes nothing. A server that was replaced refuses to write, and
    /// goes on answering from what it last knew: so it is asked what it is.
    ///
    /// A node that is asked for what it was being given may have given it away since, and shows
    /// nothing where `key` was: if that is always there, it is looked for before and after.
    pub(crate) async fn read(
        &self,
        live: &Live,
        command: &Cmd,
        key: Option<&[u8]>,
    ) -> Result<Value, CallError> {
        let mut all = redis::pipe();
        all.ignore_errors();
        let key = key.filter(|_| live.asking);
        let look = |all: &mut Pipeline| {
            if let Some(key) = key {
                all.cmd("EXISTS").arg(key);
            }
        };
        look(&mut all);
        all.add_command(command.clone());
        look(&mut all);
        all.cmd("ROLE");
        let mut answers = self.pipeline(live, &all).await?;
        let role = answers.pop().unwrap_or_default();
        let is_absent = answers.contains(&Value::Int(0)) && key.is_some();
        let answer = answers.into_iter().nth(usize::from(key.is_some()));
        let checked = primary(role).and_then(|()| match is_absent {
            true => Err(CallError::Refused(Refusal::new(
                "TRYAGAIN the partition is being moved",
            ))),
            false => answered(answer.unwrap_or_default()),
        });
        self.judge(live, checked)
    }

    /// Runs commands one behind the other; the answers may be errors.
    pub(crate) async fn pipeline(
        &self,
        live: &Live,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, CallError> {
        let mut connection = live.connection.clone();
        let asking = live.asking.then(|| asking(commands));
        let commands = asking.as_ref().unwrap_or(commands);
        let sent = connection.send_packed_commands(commands, 0, commands.len());
        let answers = self.judge(live, self.dialer.bounded_by(self.limit, sent).await)?;
        Ok(match live.asking {
            true => answers.into_iter().skip(1).step_by(2).collect(),
            false => answers,
        })
    }

    /// Runs a script, which the server may have forgotten.
    pub(crate) async fn script(
        &self,
        live: &Live,
        script: &Script,
        keys: &[Vec<u8>],
        args: &Args,
    ) -> Result<Value, CallError> {
        match self.command(live, &script.by_name(keys, args)).await {
            Err(error) if error.reason() == Some(Reason::NoScript) => {
                self.command(live, &script.by_body(keys, args)).await
            }
            answer => answer,
        }
    }

    /// Gives the connection up.
    pub(crate) fn give_up(&self, live: &Live) {
        live.running.stop();
        let mut state = self.lock();
        if state.live.as_ref().is_some_and(|l| l.number == live.number) {
            state.live = None;
            state.failed = None;
        }
    }

    /// Gives the connection up if this answer says that it is of no more use.
    pub(crate) fn judge<T>(
        &self,
        live: &Live,
        answer: Result<T, CallError>,
    ) -> Result<T, CallError> {
        if let Err(CallError::Refused(refusal)) = &answer
            && refusal.stopped_a_script()
            && TOLD.swap(live.number, Ordering::Relaxed) != live.number
        {
            tracing::error!(
                server = self.dialer.describe(),
                why = refusal.why,
                "the user of the url may not do all that a script does, which may have written a \
                 part of a commit: allow it at once, `russet config check` says what"
            );
        }
        if let Err(error) = &answer
            && matches!(
                (error, error.reason()),
                (CallError::Lost(_) | CallError::Late(_), _)
                    | (_, Some(Reason::NotPrimary | Reason::Login))
            )
        {
            self.give_up(live);
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses what a server says that is no primary.
pub(crate) fn primary(role: Value) -> Result<(), CallError> {
    let parts = array(answered(role)?)?;
    match parts.into_iter().next().map(bytes).transpose()?.as_deref() {
        Some(b"master") => Ok(()),
        _ if planted!(RedisStaleRead) => Ok(()),
        _ => Err(CallError::Refused(Refusal::new(
            "READONLY the server is a replica",
        ))),
    }
}

/// The commands with `ASKING` before each: it holds for one.
fn asking(commands: &Pipeline) -> Pipeline {
    let mut asking = Pipeline::with_capacity(2 * commands.len());
    for command in commands.cmd_iter() {
        asking.cmd("ASKING");
        asking.add_command(command.clone());
    }
    asking
}
