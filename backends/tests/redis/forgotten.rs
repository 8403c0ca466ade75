//! A server that comes back with nothing.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russet_backends::redis::RedisOptions;
use russet_servers::RedisServer;

use super::failing::{ALL, SOON, is_there, submit_soon};
use super::nodes::submit;
use super::open;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().expect("the log")).contains(words)
    }
}

#[tokio::test]
async fn a_server_that_has_forgotten_everything_is_told_of_and_worked_on() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        submit(&redis, 1).await.expect("it is committed");
        server.ask("FLUSHALL").expect("it forgets");
        submit_soon(&redis, 2).await;
        tokio::time::timeout(SOON, async {
            while !log.says("has forgotten the partition") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("it is told of");
        drop(guard);
        assert!(!is_there(&redis, 1).await);
        assert!(is_there(&redis, 2).await);
    }
}
