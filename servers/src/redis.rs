use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Certificate, Process, free_port, installed};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether a server has loaded what it kept.
const POLL: Duration = Duration::from_millis(5);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisVersion {
    /// Redis 6.2.
    Redis6,
    /// Redis 7.
    Redis7,
    /// Valkey 9.
    Valkey9,
}

impl RedisVersion {
    /// The name under which it is installed.
    pub fn program(self) -> &'static str {
        match self {
            Self::Redis6 => "redis-6.2",
            Self::Redis7 => "redis-7",
            Self::Valkey9 => "valkey-9",
        }
    }
}

/// A Redis or Valkey server that runs until this is dropped.
pub struct RedisServer {
    process: Process,
    version: RedisVersion,
    arguments: Vec<String>,
    tls_port: Option<u16>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// When it does not listen within a minute.
    pub fn start(version: RedisVersion) -> Self {
        Self::start_with(version, &[])
    }

    /// Starts a server with more arguments, such as `--requirepass` and a password.
    ///
    /// # Panics
    /// When it does not listen within a minute.
    pub fn start_with(version: RedisVersion, arguments: &[&str]) -> Self {
        let started = Self::start_on(free_port(), version, arguments);
        started.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts a server that also listens with TLS, on a port beside the one on which it is asked. Of
    /// those that are installed only Redis 7 is built with it.
    ///
    /// # Panics
    /// When it does not listen within a minute.
    pub fn start_with_tls(
        version: RedisVersion,
        certificate: &Certificate,
        arguments: &[&str],
    ) -> Self {
        let port = free_port();
        let mut all = certificate.arguments();
        all.extend(["--tls-port".to_owned(), port.to_string()]);
        let of_tls = all.iter().map(String::as_str);
        let all: Vec<&str> = of_tls.chain(arguments.iter().copied()).collect();
        let mut server = Self::start_with(version, &all);
        server.tls_port = Some(port);
        server
    }

    pub(crate) fn start_on(
        port: u16,
        version: RedisVersion,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let process = Process::start_on(port, |folder, port| {
            command(version, &arguments, folder, port)
        })?;
        let server = Self {
            process,
            version,
            arguments,
            tls_port: None,
        };
        server.wait_until_it_has_loaded();
        Ok(server)
    }

    /// Starts it again after it was stopped, on the same port and with what it kept on disk.
    ///
    /// # Panics
    /// When it does not listen within a minute.
    pub fn restart(&mut self) {
        let Self {
            process,
            version,
            arguments,
            tls_port: _,
        } = self;
        process.restart(|folder, port| command(*version, arguments, folder, port));
        self.wait_until_it_has_loaded();
    }

    /// One that only listens with TLS cannot be asked, and is not waited for.
    fn wait_until_it_has_loaded(&self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until
            && let Ok(answer) = self.ask("PING")
            && answer.contains("LOADING")
        {
            std::thread::sleep(POLL);
        }
    }

    /// Its URL, without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.process.port())
    }

    /// The port on which it listens with TLS.
    ///
    /// # Panics
    /// When it was started without.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("it listens with TLS")
    }

    /// Its URL for connections with TLS, without a password.
    ///
    /// # Panics
    /// When it was started without.
    pub fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.tls_port())
    }

    /// Asks it without a client library, and without a password: sends a line and returns the
    /// answer, with that of QUIT behind it.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&self, line: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.process.port()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{line}\r\nQUIT\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A field of what it says of itself (`INFO`).
    ///
    /// # Errors
    /// When it does not answer, or has no such field.
    pub fn info(&self, field: &str) -> io::Result<String> {
        let all = self.ask("INFO")?;
        let mut lines = all.lines();
        let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let missing = || io::Error::other(format!("no {field} in INFO"));
        Ok(value.ok_or_else(missing)?.to_owned())
    }

    /// Which server it is.
    pub fn version(&self) -> RedisVersion {
        self.version
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to be stopped.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn command(version: RedisVersion, arguments: &[String], folder: &Path, port: u16) -> Command {
    let mut command = Command::new(installed(version.program()));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--dir", &folder.to_string_lossy()]);
    command.args(["--save", "", "--appendonly", "no"]);
    command.args(["--daemonize", "no"]).args(arguments);
    command
}
