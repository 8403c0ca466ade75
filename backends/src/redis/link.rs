use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, PushInfo, RedisConnectionInfo, RedisError, Value,
};
use russet_core::{Millis, Timestamp, planted};
use russet_engine::Clock;

use super::call::{Args, CallError, Reason, Refusal, array, bytes};
use super::connect::Connect;
use super::info::Info;
use super::running::Running;
use super::script::Script;
use crate::limits::{REDIS_BACKOFF, REDIS_BACKOFF_MAX};

/// One connection to the primary that calls share. It is made anew whenever it is lost, and
/// given up whenever a call takes too long: what was sent on it may still be done.
pub(crate) struct Link {
    pub(crate) dialer: Arc<Dialer>,
    state: Mutex<State>,
    /// Held by whoever makes the connection.
    making: tokio::sync::Mutex<()>,
}

/// Makes connections.
pub(crate) struct Dialer {
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    made: u64,
    failures: u32,
    retry_at: Timestamp,
    failed: Option<CallError>,
}

/// A connection that worked when it was looked at last.
#[derive(Clone)]
pub(crate) struct Live {
    connection: MultiplexedConnection,
    running: Arc<Running>,
    /// Which of the link's connections this is.
    pub(crate) number: u64,
    pub(crate) info: Arc<Info>,
}

impl Link {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Self {
        Self {
            dialer,
            state: Mutex::default(),
            making: tokio::sync::Mutex::default(),
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
                state.made += 1;
                state.failures = 0;
                let live = Live {
                    connection,
                    running: Arc::new(running),
                    number: state.made,
                    info: Arc::new(info),
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
        (self.dialer.clock.now() < state.retry_at).then_some(Err(error))
    }

    /// Runs a command.
    pub(crate) async fn command(&self, live: &Live, command: &Cmd) -> Result<Value, CallError> {
        let mut connection = live.connection.clone();
        let sent = connection.send_packed_command(command);
        let answer = self.dialer.bounded(sent).await.and_then(answered);
        self.judge(live, answer)
    }

    /// Runs commands one behind the other; the answers may be errors.
    pub(crate) async fn pipeline(
        &self,
        live: &Live,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, CallError> {
        let mut connection = live.connection.clone();
        let sent = connection.send_packed_commands(commands, 0, commands.len());
        self.judge(live, self.dialer.bounded(sent).await)
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

    /// Runs a command that changes nothing; a connection that was lost meanwhile, or on which
    /// there is no primary any more, is made anew.
    pub(crate) async fn read(&self, command: &Cmd) -> Result<Value, CallError> {
        let live = self.live().await?;
        match self.read_on(&live, command).await {
            Err(error)
                if matches!(error, CallError::Lost(_))
                    || error.reason() == Some(Reason::NotPrimary) =>
            {
                let live = self.live().await?;
                self.read_on(&live, command).await
            }
            answer => answer,
        }
    }

    /// Runs a command that changes nothing. A server that was replaced refuses to write, and
    /// goes on answering from what it last knew: so it is asked what it is.
    async fn read_on(&self, live: &Live, command: &Cmd) -> Result<Value, CallError> {
        let mut both = redis::pipe();
        both.ignore_errors();
        both.add_command(command.clone()).cmd("ROLE");
        let mut answers = self.pipeline(live, &both).await?;
        let role = answers.pop().unwrap_or_default();
        let answer = answers.pop().unwrap_or_default();
        let checked = primary(role).and_then(|()| answered(answer));
        self.judge(live, checked)
    }

    /// Runs a script whose effects may happen twice.
    pub(crate) async fn repeatable(
        &self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &Args,
    ) -> Result<Value, CallError> {
        let live = self.live().await?;
        self.script(&live, script, keys, args).await
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

    fn judge<T>(&self, live: &Live, answer: Result<T, CallError>) -> Result<T, CallError> {
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

impl Dialer {
    /// A new connection, and what its server says of itself. What the server pushes goes to
    /// `pushes`.
    pub(crate) async fn login(
        &self,
        pushes: Option<Pushes>,
    ) -> Result<(MultiplexedConnection, Running, Info), CallError> {
        let made = self.bounded_io(self.make(pushes)).await;
        let (mut connection, running) = made.map_err(unsent)?;
        let command = redis::cmd("INFO");
        let asked = connection.send_packed_command(&command);
        let answer = self.bounded(asked).await.and_then(answered);
        let info = Info::read(&text(answer.map_err(unsent)?)?);
        if info.is_replica() {
            let refusal = Refusal::new("READONLY the server is a replica");
            return Err(CallError::Refused(refusal));
        }
        Ok((connection, running, info))
    }

    async fn make(
        &self,
        pushes: Option<Pushes>,
    ) -> Result<(MultiplexedConnection, Running), CallError> {
        let stream = self.connect.connect().await;
        let stream = stream.map_err(|error| CallError::Unreachable(error.to_string()))?;
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None);
        let mut login = self.login.clone();
        if let Some(pushes) = pushes {
            login = login.set_protocol(redis::ProtocolVersion::RESP3);
            config = config.set_push_sender(pushes);
        }
        let made = MultiplexedConnection::new_with_config(&login, stream, config).await;
        let (connection, driver) = made.map_err(|error| read_error(&error))?;
        Ok((connection, Running::new(driver)))
    }

    pub(crate) async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, CallError> {
        self.bounded_io(async { call.await.map_err(|error| read_error(&error)) })
            .await
    }

    async fn bounded_io<T>(
        &self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            answer = call => answer,
            () = self.clock.sleep(self.timeout) => {
                Err(CallError::Late(self.timeout))
            }
        }
    }
}

/// Where to what a server pushes goes.
pub(crate) type Pushes = Box<dyn Fn(PushInfo) -> Result<(), ()> + Send + Sync>;

/// What was answered, unless it is an error.
fn answered(value: Value) -> Result<Value, CallError> {
    match value {
        Value::ServerError(error) => Err(CallError::Refused(Refusal::of(&error))),
        value => Ok(value),
    }
}

/// Refuses what a server says that is no primary.
fn primary(role: Value) -> Result<(), CallError> {
    let parts = array(answered(role)?)?;
    match parts.into_iter().next().map(bytes).transpose()?.as_deref() {
        Some(b"master") => Ok(()),
        _ if planted!(RedisStaleRead) => Ok(()),
        _ => Err(CallError::Refused(Refusal::new(
            "READONLY the server is a replica",
        ))),
    }
}

/// A text, which newer protocols mark as such.
fn text(value: Value) -> Result<Vec<u8>, CallError> {
    match value {
        Value::VerbatimString { text, .. } => Ok(text.into_bytes()),
        other => bytes(other),
    }
}

/// Nothing that matters was sent.
fn unsent(error: CallError) -> CallError {
    match error {
        CallError::Lost(_) | CallError::Late(_) => CallError::Unreachable(error.to_string()),
        other => other,
    }
}

fn read_error(error: &RedisError) -> CallError {
    match error.kind() {
        redis::ErrorKind::AuthenticationFailed => {
            let why = error.detail().unwrap_or("the password is wrong").to_owned();
            let reason = Reason::Login;
            CallError::Refused(Refusal { reason, why })
        }
        redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => {
            let code = error.code().unwrap_or_default();
            let detail = error.detail().unwrap_or_default();
            CallError::Refused(Refusal::new(format!("{code} {detail}").trim()))
        }
        _ => CallError::Lost(format!("the connection was lost: {error}")),
    }
}
