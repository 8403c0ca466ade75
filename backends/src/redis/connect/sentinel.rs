use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use russet_engine::Clock;

use super::direct::Dial;
use super::{Connect, Stream};
use crate::redis::call::{CallError, Reason, strings};
use crate::redis::dialer::read_error;
use crate::redis::link::primary as primary_role;
use crate::redis::options::Address;
use crate::redis::running::Running;
use crate::secret::Secret;

/// Sentinels, one of which knows the primary.
pub(crate) struct Sentinels {
    pub(crate) master: String,
    pub(crate) sentinels: Vec<Address>,
    pub(crate) password: Option<Secret>,
    /// Who asks the primary.
    pub(crate) login: RedisConnectionInfo,
    pub(crate) dial: Arc<Dial>,
    /// How long one of them may take to answer, and the primary that it names.
    pub(crate) patience: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Connect for Sentinels {
    /// Asks one after the other until one names a primary that can be reached and does not say
    /// that it is a replica: a sentinel that is cut off from the others names the one before.
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let mut failed = Vec::new();
        for sentinel in &self.sentinels {
            let primary = match self.in_time(self.ask(sentinel)).await {
                Ok(primary) => primary,
                Err(why) => {
                    failed.push(format!("sentinel {sentinel}: {why}"));
                    continue;
                }
            };
            match self.in_time(self.reach(&primary)).await {
                Ok(stream) => return Ok(stream),
                Err(why) => failed.push(format!("{primary}, the primary of {sentinel}: {why}")),
            }
        }
        Err(io::Error::other(failed.join("; ")))
    }

    fn describe(&self) -> String {
        format!("the primary {:?} of {}", self.master, self.sentinels[0])
    }
}

impl Sentinels {
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(self.patience) => {
                Err(format!("no answer within {:?}", self.patience))
            }
        }
    }

    /// A connection to what is said to be the primary, unless it says that it is a replica. What
    /// else is wrong with it is told by whoever uses the connection.
    async fn reach(&self, primary: &Address) -> Result<Box<dyn Stream>, String> {
        let dial = || self.dial.dial(primary);
        let stream = dial().await.map_err(|error| error.to_string())?;
        if let Ok((mut connection, _running)) = log_in(&self.login, stream).await {
            let answer = connection.send_packed_command(&redis::cmd("ROLE")).await;
            let role = answer
                .map_err(|error| read_error(&error))
                .and_then(primary_role);
            if let Err(error) = role
                && error.reason() == Some(Reason::NotPrimary)
            {
                return Err("it is a replica".to_owned());
            }
        }
        dial().await.map_err(|error| error.to_string())
    }

    async fn ask(&self, sentinel: &Address) -> Result<Address, String> {
        let stream = self.dial.dial(sentinel).await.map_err(|e| e.to_string())?;
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(Secret(password)) = &self.password {
            login = login.set_password(password);
        }
        let made = log_in(&login, stream).await;
        let (mut connection, _running) = made.map_err(|error| refused(&error))?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer = connection.send_packed_command(&command).await;
        match answer.map_err(|error| refused(&read_error(&error)))? {
            redis::Value::Nil => Err(format!("it knows no primary {:?}", self.master)),
            named => {
                let parts = strings(named).map_err(|error| refused(&error))?;
                let mut parts = parts.into_iter().map(String::from_utf8);
                let (Some(Ok(host)), Some(Ok(port))) = (parts.next(), parts.next()) else {
                    return Err("it answers with no address".to_owned());
                };
                let port = port.parse().map_err(|_| "it answers with no port")?;
                Ok(Address { host, port })
            }
        }
    }
}

async fn log_in(
    login: &RedisConnectionInfo,
    stream: Box<dyn Stream>,
) -> Result<(MultiplexedConnection, Running), CallError> {
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None);
    let made = MultiplexedConnection::new_with_config(login, stream, config).await;
    let (connection, driver) = made.map_err(|error| read_error(&error))?;
    Ok((connection, Running::new(driver)))
}

/// What a sentinel said, and what to do when it is about its password.
fn refused(error: &CallError) -> String {
    match error {
        CallError::Refused(refusal) if refusal.reason == Reason::Login => {
            format!("it refuses the login ({error}): set sentinel_password to theirs")
        }
        _ => error.to_string(),
    }
}
