use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, RedisConnectionInfo, RedisError, Value};
use russet_engine::Clock;

use super::call::{CallError, Reason, Refusal, bytes};
use super::connect::Connect;
use super::info::Info;
use super::options::Address;
use super::running::Running;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) connect: Arc<dyn Connect>,
    /// To which node of a cluster; `None` for the primary.
    pub(crate) node: Option<Address>,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
}

impl Dialer {
    /// One that makes connections to another node.
    pub(crate) fn to(&self, node: &Address) -> Arc<Self> {
        Arc::new(Self {
            node: Some(node.clone()),
            ..self.clone()
        })
    }

    /// Where connections go, for people to read.
    pub(crate) fn describe(&self) -> String {
        match &self.node {
            Some(node) => node.to_string(),
            None => self.connect.describe(),
        }
    }

    /// A new connection, and what its server says of itself. What the server pushes goes to
    /// `pushes`.
    pub(crate) async fn login(
        &self,
        pushes: Option<Pushes>,
    ) -> Result<(MultiplexedConnection, Running, Info), CallError> {
        let (mut connection, running) = self.dial(pushes).await?;
        let command = redis::cmd("INFO");
        let asked = connection.send_packed_command(&command);
        let answer = self.bounded(asked).await.and_then(answered);
        let info = Info::read(&text(answer.map_err(unsent)?)?);
        if info.is_replica() {
            let refusal = Refusal::new("READONLY the server is a replica");
            return Err(CallError::Refused(refusal));
        }
        if let Some(policy) = info.evicts() {
            return Err(CallError::Refused(Refusal {
                reason: Reason::Evicts,
                why: policy.to_owned(),
            }));
        }
        Ok((connection, running, info))
    }

    /// A new connection to a server of any kind.
    pub(crate) async fn dial(
        &self,
        pushes: Option<Pushes>,
    ) -> Result<(MultiplexedConnection, Running), CallError> {
        let made = self.bounded_io(self.timeout, self.make(pushes)).await;
        made.map_err(unsent)
    }

    async fn make(
        &self,
        pushes: Option<Pushes>,
    ) -> Result<(MultiplexedConnection, Running), CallError> {
        let stream = match &self.node {
            Some(node) => self.connect.connect_to(node).await,
            None => self.connect.connect().await,
        };
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
        self.bounded_by(self.timeout, call).await
    }

    /// As [`Self::bounded`], of a call that may take longer than others.
    pub(crate) async fn bounded_by<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, CallError> {
        let call = async { call.await.map_err(|error| read_error(&error)) };
        self.bounded_io(limit, call).await
    }

    async fn bounded_io<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            answer = call => answer,
            () = self.clock.sleep(limit) => Err(CallError::Late(limit)),
        }
    }
}

/// Where to what a server pushes goes.
pub(crate) type Pushes = Box<dyn Fn(PushInfo) -> Result<(), ()> + Send + Sync>;

/// What was answered, unless it is an error.
pub(crate) fn answered(value: Value) -> Result<Value, CallError> {
    match value {
        Value::ServerError(error) => Err(CallError::Refused(Refusal::of(&error))),
        value => Ok(value),
    }
}

/// A text, which newer protocols mark as such.
pub(crate) fn text(value: Value) -> Result<Vec<u8>, CallError> {
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

pub(crate) fn read_error(error: &RedisError) -> CallError {
    match error.kind() {
        redis::ErrorKind::AuthenticationFailed => {
            let why = error
                .detail()
                .unwrap_or("the user or the password is wrong")
                .to_owned();
            let reason = Reason::Login;
            CallError::Refused(Refusal { reason, why })
        }
        redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => {
            let code = error.code().unwrap_or_default();
            let detail = error.detail().unwrap_or_default();
            CallError::Refused(Refusal::new(format!("{code} {detail}").trim()))
        }
        redis::ErrorKind::Parse => {
            CallError::Lost(format!("it does not answer as Redis does ({error})"))
        }
        _ => CallError::Lost(format!("the connection was lost: {error}")),
    }
}
