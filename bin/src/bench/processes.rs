//! The benchmark's other processes: this same binary in a role.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use russet::{Client, Worker as Crew};
use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_backends::memory::Memory;
use russet_backends::redis::{Redis, RedisOptions};
use russet_engine::{Backend, Configuration, Queue, Scheduler, Store, SystemClock, SystemEntropy};

use super::wire::Connection;
use super::{Measured, Options, Role, runtime, size};
use crate::serve::{Metrics, Place, Server as Http, Tokens};

/// A server process, stopped when this is dropped.
pub(super) struct Server {
    /// Where it listens: address and port.
    pub host: String,
    _data: tempfile::TempDir,
    _process: Process,
}

/// A worker process without work to do in its handlers, stopped when this is dropped.
pub(super) struct Worker(#[expect(dead_code, reason = "held until it is stopped")] Process);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell of a failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts a server on `memory` or `embedded`, with its data in a new folder in `folder`.
    pub fn start(folder: &Path, backend: Role) -> Measured<Self> {
        Self::start_with(folder, backend, &[])
    }

    /// Starts a server on Redis, where all names begin with `prefix`.
    pub fn start_on_redis(folder: &Path, url: &str, prefix: &str) -> Measured<Self> {
        let place = ["--redis", url, "--prefix", prefix];
        Self::start_with(folder, Role::ServeRedis, &place.map(AsRef::as_ref))
    }

    fn start_with(folder: &Path, backend: Role, more: &[&OsStr]) -> Measured<Self> {
        let data = tempfile::tempdir_in(folder)?;
        let own = ["--folder".as_ref(), data.path().as_os_str()];
        let mut process = spawn(backend, &[&own, more].concat())?;
        let stdout = process.0.stdout.take().ok_or("the server has no stdout")?;
        let mut host = String::new();
        BufReader::new(stdout).read_line(&mut host)?;
        if host.trim().is_empty() {
            return Err("the server did not start".into());
        }
        Ok(Self {
            host: host.trim().into(),
            _data: data,
            _process: process,
        })
    }

    /// How many tasks of the queue have succeeded, and how many have not ended.
    pub async fn counts(&self) -> Measured<Counts> {
        let mut connection = Connection::open(&self.host).await?;
        let request = connection.request("GET", "/v1/queues/bench", "");
        let queue = connection.send(&request).await?.json()?;
        let count = |state: &str| {
            let count = queue["counts"][state].as_u64();
            count.ok_or_else(|| format!("no count of {state} tasks in {queue}"))
        };
        Ok(Counts {
            succeeded: count("succeeded")?,
            unfinished: count("queued")? + count("running")?,
        })
    }
}

/// How many tasks have come how far.
pub(super) struct Counts {
    pub succeeded: u64,
    pub unfinished: u64,
}

impl Worker {
    /// Starts a worker for the queue `bench` on the server.
    pub fn start(host: &str) -> Measured<Self> {
        Ok(Self(spawn(
            Role::Worker,
            &["--url".as_ref(), format!("http://{host}").as_ref()],
        )?))
    }
}

fn spawn(role: Role, arguments: &[&OsStr]) -> Measured<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "--role", role.name()])
        .args(arguments);
    Ok(Process(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?,
    ))
}

/// Plays a role until it is over, or until this process is ended.
///
/// # Errors
/// Whatever goes wrong.
pub fn play(role: Role, options: &Options, url: &str) -> Measured<()> {
    match role {
        Role::ServeMemory | Role::ServeEmbedded | Role::ServeRedis => {
            runtime()?.block_on(serve(role, options))
        }
        Role::Worker => runtime()?.block_on(work(url)),
        Role::MemorySize => print(size::memory_size(options)?),
        Role::Fill => print(size::fill_store(options)?),
        Role::Open => print(size::open_store(options)?),
    }
}

fn print(said: impl std::fmt::Display) -> Measured<()> {
    Ok(writeln!(std::io::stdout().lock(), "{said}")?)
}

async fn serve(role: Role, options: &Options) -> Measured<()> {
    let clock = Arc::new(SystemClock);
    let backend = backend(role, options, clock.clone()).await?;
    let metrics = Arc::new(Metrics::new());
    let observers: Vec<Arc<dyn russet_engine::Observer>> = vec![metrics.clone()];
    let configuration = Configuration {
        observers,
        ..Configuration::default()
    };
    let entropy = Arc::new(SystemEntropy::new());
    let scheduler = Scheduler::start(backend, configuration, clock, entropy);
    let listen = ([127, 0, 0, 1], 0).into();
    let place = Place::take(listen, Tokens::new(Vec::new()))?;
    let server = Http::listen(place, 1, scheduler, metrics)?;
    print(server.address())?;
    server.run().await?;
    Ok(())
}

async fn backend(role: Role, options: &Options, clock: Arc<SystemClock>) -> Measured<Backend> {
    Ok(match (role, &options.redis) {
        (Role::ServeRedis, Some(url)) => {
            let place = RedisOptions {
                prefix: options.prefix.clone(),
                ..RedisOptions::new(url)
            };
            both(Redis::open(place, clock).await?)
        }
        (Role::ServeEmbedded, _) => {
            let path = options.folder.join("data");
            both(Embedded::open(&path, EmbeddedOptions::default(), clock)?)
        }
        _ => both(Memory::new(1, clock)),
    })
}

fn both<B: Store + Queue>(backend: Arc<B>) -> Backend {
    Backend {
        store: backend.clone(),
        queue: backend,
    }
}

async fn work(url: &str) -> Measured<()> {
    let client = Client::http(url)?;
    let nothing = tower::service_fn(|_: russet::TaskContext| async {
        Ok::<_, russet::TaskFailure>(russet::TaskOutput::default())
    });
    let worker = Crew::new(client)
        .queue("bench")
        .concurrency(super::http::CONCURRENCY);
    worker
        .service_for_others(nothing)
        .run_until_signal()
        .await?;
    Ok(())
}
