use std::path::Path;
use std::process::Command;

use crate::{Process, installed};

/// Whatever the servers are to take for credentials: they check none.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A server that speaks as DynamoDB and as SQS.
pub struct Ministack(Process);

impl Ministack {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed, or does not listen within a minute.
    pub fn start() -> Self {
        let home = installed("aws/ministack");
        Self(Process::start(|folder, port| {
            let mut command = Command::new("python3");
            command.args(["-m", "ministack"]);
            command.env("PYTHONPATH", &home);
            // It would listen for other services, also beyond this machine.
            for service in ["IOT_MTLS_ENABLED", "SFTP_ENABLED"] {
                command.env(service, "0");
            }
            command
                .env("SERVICES", "dynamodb,sqs")
                .env("BIND_HOST", "127.0.0.1")
                .env("MINISTACK_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string());
            at_home(command, folder)
        }))
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.0
    }
}

/// A server that speaks as SQS, faster than the other one.
pub struct Fauxqs(Process);

impl Fauxqs {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed, or does not listen within a minute.
    pub fn start() -> Self {
        let serve = installed("aws/fauxqs/serve.mjs");
        Self(Process::start(|folder, port| {
            let mut command = Command::new("node");
            command.arg(&serve).arg(port.to_string());
            at_home(command, folder)
        }))
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.0
    }
}

/// What it writes stays in its folder.
fn at_home(mut command: Command, folder: &Path) -> Command {
    command.env("HOME", folder).env("TMPDIR", folder);
    command
}
