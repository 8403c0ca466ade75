//! Task lives on a Redis server: what they cost it, how fast they are, how soon a task starts on
//! another node, and what an idle node asks.

mod bare;
mod batches;
mod server;
mod shapes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use russet_backends::redis::{Redis, RedisOptions};
use russet_engine::{Backend, Scheduler, SystemClock};

use self::server::Server;
use super::figure::{Target, median, percentile};
use super::lives::{Maker, completion, rate, scheduler};
use super::{Figure, Measured, Options, runtime};

const CALLERS: usize = 64;
/// One: a lease looks at each of several first, and takes then.
const PARTITIONS: u16 = 1;
/// How often the lives of many callers, and empty scripts, take turns.
const TURNS: u32 = 4;
/// Tasks of a call, where they come in batches.
const BATCH: usize = 100;
/// Tasks that wait while their memory is measured.
const PENDING: usize = 50_000;
/// Times that a task was submitted on one node for another.
const STARTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(10);
/// How long idle nodes are watched.
const IDLE: Duration = Duration::from_secs(10);
const IDLE_PARTITIONS: u16 = 2;
/// What a life may cost the server, where the least that it could cost is 1: 16 µs against 13.
const AGAINST_BARE: f64 = 1.23;
/// Lives a second, as a share of the empty scripts that the server runs a second.
const LIVES_A_SCRIPT: f64 = 0.03;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    let url = options.redis.as_ref();
    let url = url.ok_or("it needs a server that it may fill: --redis redis://127.0.0.1:6379")?;
    runtime()?.block_on(async {
        let server = Server::connect(url).await?;
        let figures = take(&server, options).await;
        server.remove_all().await?;
        figures
    })
}

async fn take(server: &Server, options: &Options) -> Measured<Vec<Figure>> {
    let time = options.time;
    let mut figures = lives(server, time).await?;
    figures.extend(batches::measure(server).await?);
    figures.extend(shapes::in_process(server, time).await?);
    figures.extend(shapes::through_serve(server, &options.folder, time).await?);
    figures.push(pending(server).await?);
    figures.extend(starts(server).await?);
    figures.push(idle(server).await?);
    Ok(figures)
}

/// A scheduler on a store of its own.
async fn node(server: &Server, name: &str, partitions: u16) -> Measured<Scheduler> {
    let options = RedisOptions {
        prefix: server.prefix(name),
        partitions: Some(partitions),
        ..RedisOptions::new(server.url())
    };
    let redis = Redis::open(options, Arc::new(SystemClock)).await?;
    Ok(scheduler(Backend {
        store: redis.clone(),
        queue: redis,
    }))
}

/// Lives of many callers, and empty scripts, in turns.
async fn lives(server: &Server, time: Duration) -> Measured<Vec<Figure>> {
    let node = node(server, "lives", PARTITIONS).await?;
    let (mut scripts, mut lives, mut micros) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        scripts.push(server.empty_scripts(time / TURNS).await?);
        let (before, start) = (server.processor().await?, Instant::now());
        let rate = rate(&node, CALLERS, time / TURNS).await?;
        let all = rate * start.elapsed().as_secs_f64();
        micros.push((server.processor().await? - before) * 1e6 / all);
        lives.push(rate);
    }
    node.stop().await;
    let ratio = median(lives.iter().zip(&scripts).map(|(lives, all)| lives / all));
    let [scripts, lives, micros] = [scripts, lives, micros].map(|all| median(all.into_iter()));
    let name = |what: &str| format!("redis: {what}, {CALLERS} callers");
    Ok(vec![
        Figure::new("redis: empty scripts, pipelined", scripts, "/s"),
        Figure::new(name("task lives"), lives, "/s").against(
            "empty scripts, in turns",
            lives / ratio,
            Target::AtLeast(LIVES_A_SCRIPT),
        ),
        Figure::new(name("server's processor per life"), micros, "µs"),
    ])
}

async fn pending(server: &Server) -> Measured<Figure> {
    let node = node(server, "pending", 1).await?;
    let maker = Maker::new()?;
    let before = server.memory().await?;
    for _ in 0..PENDING / BATCH {
        let tasks = (0..BATCH).map(|_| maker.task(&node)).collect();
        node.submit(russet_core::Submit {
            workflow: None,
            tasks,
        })
        .await?;
    }
    let bytes = (server.memory().await? - before) / PENDING as f64;
    node.stop().await;
    let figure = Figure::new("redis: memory of each pending task", bytes, "bytes");
    Ok(figure.against("700 bytes", 700.0, Target::AtMost(1.0)))
}

/// From before each submit on one node until a worker of another has the task.
async fn starts(server: &Server) -> Measured<Vec<Figure>> {
    let (here, there) = (
        node(server, "starts", 1).await?,
        node(server, "starts", 1).await?,
    );
    let maker = Maker::new()?;
    let mut millis = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let polling = async {
            let leased = there.lease(maker.lease(1, LONG)).await?;
            Measured::Ok((leased, Instant::now()))
        };
        let submitting = async {
            tokio::time::sleep(PAUSE).await;
            let start = Instant::now();
            here.submit(maker.submit(&here)).await?;
            Measured::Ok(start)
        };
        let (polled, submitted) = tokio::join!(polling, submitting);
        let ((leased, end), start) = (polled?, submitted?);
        let task = leased.first().ok_or("no task was leased in 10 s")?;
        millis.push(end.saturating_duration_since(start).as_secs_f64() * 1e3);
        there.complete(completion(task)).await?;
    }
    here.stop().await;
    there.stop().await;
    let mut of = |share| percentile(&mut millis, share);
    let (half, most) = (of(0.5), of(0.99));
    Ok(vec![
        Figure::new("redis: submit to start on another node, p50", half, "ms"),
        Figure::new("redis: submit to start on another node, p99", most, "ms").against(
            "10 ms",
            10.0,
            Target::AtMost(1.0),
        ),
    ])
}

/// What a node with an idle worker asks of the server.
async fn idle(server: &Server) -> Measured<Figure> {
    let node = node(server, "idle", IDLE_PARTITIONS).await?;
    let maker = Maker::new()?;
    let waiting = tokio::spawn({
        let (node, lease) = (node.clone(), maker.lease(1, IDLE * 3));
        async move { node.lease(lease).await }
    });
    tokio::time::sleep(IDLE / 5).await;
    let before = server.commands().await?;
    tokio::time::sleep(IDLE).await;
    // What asks is a command itself.
    let commands = server.commands().await? - before - 1.0;
    waiting.abort();
    node.stop().await;
    let each = commands / IDLE.as_secs_f64() / f64::from(IDLE_PARTITIONS);
    let figure = Figure::new("redis: commands of an idle node and partition", each, "/s");
    Ok(figure.against("20 a second", 20.0, Target::AtMost(1.0)))
}
