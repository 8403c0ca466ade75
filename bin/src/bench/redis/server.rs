use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Script, cmd};

use crate::bench::Measured;

/// With what all names begin, before a number that differs from run to run.
const PREFIX: &str = "russet-bench";
/// Scripts that are under way at once.
const PIPELINE: usize = 1_000;
/// Names that are looked at, and removed, at once.
const NAMES: usize = 1_000;

/// The server that is measured, and what it says of itself.
pub(super) struct Server {
    url: String,
    prefix: String,
    connection: MultiplexedConnection,
}

impl Server {
    pub async fn connect(url: &str) -> Measured<Self> {
        let connection = redis::Client::open(url)?
            .get_multiplexed_async_connection_with_config(
                &redis::AsyncConnectionConfig::new().set_response_timeout(None),
            )
            .await?;
        Ok(Self {
            url: url.to_owned(),
            prefix: format!("{PREFIX}-{}", std::process::id()),
            connection,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub fn prefix(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Seconds that it has worked.
    pub async fn processor(&self) -> Measured<f64> {
        Ok(self.info("used_cpu_user").await? + self.info("used_cpu_sys").await?)
    }

    /// Bytes that its data takes.
    pub async fn memory(&self) -> Measured<f64> {
        self.info("used_memory").await
    }

    /// Commands that it has carried out.
    pub async fn commands(&self) -> Measured<f64> {
        self.info("total_commands_processed").await
    }

    async fn info(&self, field: &str) -> Measured<f64> {
        let mut connection = self.connection.clone();
        let all: String = cmd("INFO").query_async(&mut connection).await?;
        let mut lines = all.lines();
        let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value
            .ok_or_else(|| format!("no {field} in INFO"))?
            .parse()?)
    }

    /// How many scripts that do nothing it runs a second.
    pub async fn empty_scripts(&self, time: Duration) -> Measured<f64> {
        let mut connection = self.connection.clone();
        let script = Script::new("return 0");
        let _: i64 = script.invoke_async(&mut connection).await?;
        let mut pipeline = redis::pipe();
        for _ in 0..PIPELINE {
            pipeline
                .cmd("EVALSHA")
                .arg(script.get_hash())
                .arg(0)
                .ignore();
        }
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed() < time {
            let () = pipeline.query_async(&mut connection).await?;
            done += PIPELINE;
        }
        Ok(done as f64 / start.elapsed().as_secs_f64())
    }

    /// Removes everything that was made here.
    pub async fn remove_all(&self) -> Measured<()> {
        let mut connection = self.connection.clone();
        let mut from = 0u64;
        loop {
            let (next, names): (u64, Vec<Vec<u8>>) = cmd("SCAN")
                .arg(from)
                .arg("MATCH")
                .arg(format!("{{{}-*", self.prefix))
                .arg("COUNT")
                .arg(NAMES)
                .query_async(&mut connection)
                .await?;
            if !names.is_empty() {
                let () = cmd("UNLINK")
                    .arg(names)
                    .query_async(&mut connection)
                    .await?;
            }
            match next {
                0 => return Ok(()),
                next => from = next,
            }
        }
    }
}
