//! Producers that await each single acknowledgement, a server process and a worker process,
//! beside the server's own empty endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::figure::{Target, percentile};
use super::processes::{Server, Worker};
use super::wire::Connection;
use super::{Figure, Measured, Options, Role, Suite, lives, runtime};

pub(super) const PRODUCERS: usize = 50;
pub(super) const CONCURRENCY: usize = 100;
/// How often the empty endpoint and the submissions take turns.
const TURNS: u32 = 4;
/// How long the worker and the connections get to become warm.
const WARM_UP: Duration = Duration::from_millis(500);

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    runtime()?.block_on(async {
        let mut figures = Vec::new();
        for (backend, role) in [
            ("memory", Role::ServeMemory),
            ("embedded", Role::ServeEmbedded),
        ] {
            figures.extend(backend_figures(options, backend, role).await?);
        }
        Ok(figures)
    })
}

async fn backend_figures(options: &Options, backend: &str, role: Role) -> Measured<Vec<Figure>> {
    let server = Server::start(&options.folder, role)?;
    let submit = submit_request(&server.host).await?;
    let alone = load(&server.host, submit.clone(), options.time).await?;
    let worker = Worker::start(&server.host)?;
    let Turns { pings, busy, lives } = turns(&server, submit, options.time).await?;
    drop(worker);
    let name = |what: &str| format!("http, {backend}: {what}");
    Ok(vec![
        Figure::new(name("empty endpoint, 50 connections"), pings.rate(), "/s"),
        Figure::new(name("submits, 50 producers, no worker"), alone.rate(), "/s"),
        Figure::new(name("submits, 50 producers, one worker"), busy.rate(), "/s").against(
            "the empty endpoint",
            pings.rate(),
            Target::AtLeast(0.5),
        ),
        Figure::new(name("task lives, 50 producers, one worker"), lives, "/s"),
        Figure::new(
            name("submit latency with a worker, p50"),
            busy.percentile(0.5),
            "ms",
        ),
        Figure::new(
            name("submit latency with a worker, p99"),
            busy.percentile(0.99),
            "ms",
        ),
    ])
}

/// What was measured in turns.
struct Turns {
    pings: Load,
    busy: Load,
    /// Task lives a second.
    lives: f64,
}

/// Submissions with a worker, and the empty endpoint in between while the worker has nothing to
/// do, so that both meet the machine as it is: it may be twice as fast a few seconds later.
async fn turns(server: &Server, submit: Vec<u8>, time: Duration) -> Measured<Turns> {
    let ping = Connection::open(&server.host)
        .await?
        .request("GET", "/v1/ping", "");
    let (mut pings, mut busy) = (Load::default(), Load::default());
    let (mut lives, mut elapsed) = (0, Duration::ZERO);
    for _ in 0..TURNS {
        drained(server).await?;
        pings.add(load(&server.host, ping.clone(), time / TURNS).await?);
        let (before, start) = (server.counts().await?.succeeded, Instant::now());
        busy.add(load(&server.host, submit.clone(), time / TURNS).await?);
        lives += server.counts().await?.succeeded - before;
        elapsed += start.elapsed();
    }
    let lives = lives as f64 / elapsed.as_secs_f64();
    Ok(Turns { pings, busy, lives })
}

pub(super) async fn submit_request(host: &str) -> Measured<Vec<u8>> {
    let payload = "x".repeat(lives::PAYLOAD_BYTES - 2);
    let body = format!(r#"{{"type":"bench","queue":"bench","payload":"{payload}"}}"#);
    Ok(Connection::open(host)
        .await?
        .request("POST", "/v1/tasks", &body))
}

/// Waits until the worker has done what was submitted before.
pub(super) async fn drained(server: &Server) -> Measured<()> {
    let start = Instant::now();
    loop {
        let left = server.counts().await?.unfinished;
        if left == 0 {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(120) {
            let why = format!("after two minutes the worker had {left} tasks left to do");
            return Err(super::BenchError {
                suite: Suite::Http,
                why,
            }
            .into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What producers saw.
#[derive(Default)]
pub(super) struct Load {
    count: u64,
    time: Duration,
    millis: Vec<f64>,
}

impl Load {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.time += other.time;
        self.millis.extend(other.millis);
    }

    fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    fn percentile(&self, share: f64) -> f64 {
        percentile(&mut self.millis.clone(), share)
    }
}

/// Sends one request over and over on every connection.
pub(super) async fn load(host: &str, request: Vec<u8>, time: Duration) -> Measured<Load> {
    let (request, counting) = (Arc::new(request), Arc::new(AtomicBool::new(false)));
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut producers = Vec::new();
    for _ in 0..PRODUCERS {
        let mut connection = Connection::open(host).await?;
        let (request, counting) = (request.clone(), counting.clone());
        let (stop, count) = (stop.clone(), count.clone());
        producers.push(tokio::spawn(async move {
            let mut millis = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                let answer = connection.send(&request).await?;
                if !(200..300).contains(&answer.status) {
                    answer.json()?;
                }
                if counting.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                    millis.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            Measured::Ok(millis)
        }));
    }
    tokio::time::sleep(WARM_UP).await;
    let start = Instant::now();
    counting.store(true, Ordering::Relaxed);
    tokio::time::sleep(time).await;
    counting.store(false, Ordering::Relaxed);
    let (elapsed, counted) = (start.elapsed(), count.load(Ordering::Relaxed));
    stop.store(true, Ordering::Relaxed);
    let mut millis = Vec::new();
    for producer in producers {
        millis.extend(producer.await??);
    }
    Ok(Load {
        count: counted,
        time: elapsed,
        millis,
    })
}
