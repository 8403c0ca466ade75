//! The two shapes that job queues are compared by, with the tasks of one producer in batches, and
//! with producers that await each single acknowledgement: with a worker in this process, and
//! through a server and a worker process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use russet::wire::SubmitTask;
use russet::{Client, TaskContext, TaskFailure, TaskOutput, Worker};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::server::Server;
use super::{BATCH, PARTITIONS, node};
use crate::bench::http::{self, CONCURRENCY, PRODUCERS};
use crate::bench::lives::PAYLOAD_BYTES;
use crate::bench::processes;
use crate::bench::{Figure, Measured};

/// Tasks that are submitted in batches, and then done.
const BULK: usize = 50_000;
const WARM_UP: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// With everything in this process.
pub(super) async fn in_process(server: &Server, time: Duration) -> Measured<Vec<Figure>> {
    let name = |what: &str| format!("redis, in process: {what}");
    let scheduler = node(server, "bulk", PARTITIONS).await?;
    let client = Client::in_process(scheduler.clone());
    let start = Instant::now();
    submit_bulk(&client).await?;
    let crew = Crew::start(client);
    crew.reaches(BULK).await?;
    let bulk = BULK as f64 / start.elapsed().as_secs_f64();
    crew.stop().await;
    scheduler.stop().await;

    let scheduler = node(server, "single", PARTITIONS).await?;
    let client = Client::in_process(scheduler.clone());
    let crew = Crew::start(client.clone());
    let until = Instant::now() + WARM_UP + time;
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|_| tokio::spawn(produce(client.clone(), until)))
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let (before, start) = (crew.done(), Instant::now());
    tokio::time::sleep(time).await;
    let single = (crew.done() - before) as f64 / start.elapsed().as_secs_f64();
    for producer in producers {
        producer.await??;
    }
    crew.stop().await;
    scheduler.stop().await;
    Ok(vec![
        Figure::new(name(&bulk_name()), bulk, "/s"),
        Figure::new(name(&single_name()), single, "/s"),
    ])
}

/// Through a server and a worker that are processes of their own.
pub(super) async fn through_serve(
    redis: &Server,
    folder: &Path,
    time: Duration,
) -> Measured<Vec<Figure>> {
    let name = |what: &str| format!("redis, through serve: {what}");
    let server = processes::Server::start_on_redis(folder, redis.url(), &redis.prefix("serve"))?;
    let client = Client::http(&format!("http://{}", server.host))?;
    let start = Instant::now();
    submit_bulk(&client).await?;
    let worker = processes::Worker::start(&server.host)?;
    http::drained(&server).await?;
    let bulk = BULK as f64 / start.elapsed().as_secs_f64();

    let request = http::submit_request(&server.host).await?;
    let (before, start) = (server.counts().await?.succeeded, Instant::now());
    http::load(&server.host, request, time).await?;
    let lives = server.counts().await?.succeeded - before;
    let single = lives as f64 / start.elapsed().as_secs_f64();
    drop(worker);
    Ok(vec![
        Figure::new(name(&bulk_name()), bulk, "/s"),
        Figure::new(name(&single_name()), single, "/s"),
    ])
}

fn bulk_name() -> String {
    format!("{BULK} tasks in batches of {BATCH}, then done")
}

fn single_name() -> String {
    format!("task lives, {PRODUCERS} producers")
}

fn task() -> Measured<SubmitTask> {
    let task = SubmitTask {
        queue: Some("bench".into()),
        ..SubmitTask::new("bench")
    };
    Ok(task.with_payload(&"x".repeat(PAYLOAD_BYTES - 2))?)
}

async fn submit_bulk(client: &Client) -> Measured<()> {
    for _ in 0..BULK / BATCH {
        let tasks: Vec<_> = (0..BATCH).map(|_| task()).collect::<Measured<_>>()?;
        for result in client.submit_many(tasks).await {
            result?;
        }
    }
    Ok(())
}

async fn produce(client: Client, until: Instant) -> Measured<()> {
    while Instant::now() < until {
        client.submit(task()?).await?;
    }
    Ok(())
}

/// A worker of this process whose handlers only count.
struct Crew {
    done: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Crew {
    fn start(client: Client) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let count = done.clone();
        let handler = tower::service_fn(move |_: TaskContext| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, TaskFailure>(TaskOutput::default()) }
        });
        let worker = Worker::new(client).queue("bench").concurrency(CONCURRENCY);
        let worker = worker.service_for_others(handler);
        let (stop, mut stopped) = watch::channel(false);
        let running = tokio::spawn(async move {
            // An error has told of itself: no task is done any more.
            let _ = worker
                .run_until(async move {
                    let _ = stopped.wait_for(|stop| *stop).await;
                })
                .await;
        });
        Self {
            done,
            stop,
            running,
        }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    async fn reaches(&self, count: usize) -> Measured<()> {
        let start = Instant::now();
        while self.done() < count {
            if start.elapsed() > PATIENCE {
                return Err(format!("{} of {count} tasks were done", self.done()).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        // Whatever it did then, it is over.
        let _ = self.running.await;
    }
}
