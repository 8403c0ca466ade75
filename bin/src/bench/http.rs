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
    let ping = Connection::open(&server.host)
        .await?
        .request("GET", "/v1/ping", "");
    let pings = load(&server.host, ping, options.time).await?;
    let submit = submit_request(&server.host).await?;
    let alone = load(&server.host, submit.clone(), options.time).await?;
    let worker = Worker::start(&server.host)?;
    drained(&server, alone.count).await?;
    let before = server.succeeded().await?;
    let start = Instant::now();
    let busy = load(&server.host, submit, options.time).await?;
    let lives = server.succeeded().await? - before;
    let rate = lives as f64 / start.elapsed().as_secs_f64();
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
        Figure::new(name("task lives, 50 producers, one worker"), rate, "/s"),
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

pub(super) async fn submit_request(host: &str) -> Measured<Vec<u8>> {
    let payload = "x".repeat(lives::PAYLOAD_BYTES - 2);
    let body = format!(r#"{{"type":"bench","queue":"bench","payload":"{payload}"}}"#);
    Ok(Connection::open(host)
        .await?
        .request("POST", "/v1/tasks", &body))
}

/// Waits until the worker has done what was submitted before.
pub(super) async fn drained(server: &Server, count: u64) -> Measured<()> {
    let start = Instant::now();
    while server.succeeded().await? < count {
        if start.elapsed() > Duration::from_secs(120) {
            let why = format!("the worker did not drain {count} tasks in two minutes");
            return Err(super::BenchError {
                suite: Suite::Http,
                why,
            }
            .into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What producers saw.
pub(super) struct Load {
    count: u64,
    time: Duration,
    millis: Vec<f64>,
}

impl Load {
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
