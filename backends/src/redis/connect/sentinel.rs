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
use crate::redis::options::Address;
use crate::redis::running::Running;
use crate::secret::Secret;

/// Sentinels, one of which knows the primary.
pub(crate) struct Sentinels {
    pub(crate) master: String,
    pub(crate) sentinels: Vec<Address>,
    pub(crate) password: Option<Secret>,
    pub(crate) dial: Arc<Dial>,
    /// How long one of them may take to answer.
    pub(crate) patience: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Connect for Sentinels {
    /// Asks one after the other until one names a primary that can be reached. Whether it is
    /// still one is seen by whoever uses the connection.
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let mut failed = Vec::new();
        for sentinel in &self.sentinels {
            let answer = tokio::select! {
                biased;
                answer = self.ask(sentinel) => answer,
                () = self.clock.sleep(self.patience) => {
                    Err(format!("no answer within {:?}", self.patience))
                }
            };
            let primary = match answer {
                Ok(primary) => primary,
                Err(why) => {
                    failed.push(format!("sentinel {sentinel}: {why}"));
                    continue;
                }
            };
            match self.dial.dial(&primary).await {
                Ok(stream) => return Ok(stream),
                Err(why) => failed.push(format!("primary {primary}: {why}")),
            }
        }
        Err(io::Error::other(failed.join("; ")))
    }

    fn describe(&self) -> String {
        format!("the primary {:?} of {}", self.master, self.sentinels[0])
    }
}

impl Sentinels {
    async fn ask(&self, sentinel: &Address) -> Result<Address, String> {
        let stream = self.dial.dial(sentinel).await.map_err(|e| e.to_string())?;
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(Secret(password)) = &self.password {
            login = login.set_password(password);
        }
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None);
        let made = MultiplexedConnection::new_with_config(&login, stream, config).await;
        let (mut connection, driver) = made.map_err(|error| refused(&read_error(&error)))?;
        let _running = Running::new(driver);
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

/// What a sentinel said, and what to do when it is about its password.
fn refused(error: &CallError) -> String {
    match error {
        CallError::Refused(refusal) if refusal.reason == Reason::Login => {
            format!("it refuses the login ({error}): set sentinel_password to theirs")
        }
        _ => error.to_string(),
    }
}
