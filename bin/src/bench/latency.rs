//! Submit to start through an HTTP long poll, and how late timers are, on an idle server.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::figure::{Target, percentile};
use super::processes::Server;
use super::wire::Connection;
use super::{Figure, Measured, Options, Role, runtime};

const SAMPLES: usize = 300;
const PAUSE: Duration = Duration::from_millis(5);
const TIMERS: u64 = 60;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    runtime()?.block_on(async {
        let server = Server::start(&options.folder, Role::ServeEmbedded)?;
        let mut starts = starts(&server).await?;
        let mut late = timers(&server).await?;
        let of = |values: &mut Vec<f64>, share| percentile(values, share);
        Ok(vec![
            Figure::new(
                "idle: submit to start, embedded, p50",
                of(&mut starts, 0.5),
                "ms",
            ),
            Figure::new(
                "idle: submit to start, embedded, p99",
                of(&mut starts, 0.99),
                "ms",
            )
            .against("5 ms", 5.0, Target::AtMost(1.0)),
            Figure::new("idle: timers late, p50", of(&mut late, 0.5), "ms"),
            Figure::new("idle: timers late, worst", of(&mut late, 1.0), "ms").against(
                "50 ms",
                50.0,
                Target::AtMost(1.0),
            ),
        ])
    })
}

/// From before each submit until the worker has the task, in milliseconds.
async fn starts(server: &Server) -> Measured<Vec<f64>> {
    let mut producer = Connection::open(&server.host).await?;
    let mut worker = Connection::open(&server.host).await?;
    let mut millis = Vec::with_capacity(SAMPLES);
    let submit = json!({"type": "bench", "queue": "idle", "payload": "x"}).to_string();
    for _ in 0..SAMPLES {
        let polling = async {
            let task = lease(&mut worker).await?;
            Measured::Ok((task, Instant::now()))
        };
        let submitting = async {
            tokio::time::sleep(PAUSE).await;
            let start = Instant::now();
            producer.post("/v1/tasks", &submit).await?.json()?;
            Measured::Ok(start)
        };
        let (polled, submitted) = tokio::join!(polling, submitting);
        let ((task, end), start) = (polled?, submitted?);
        millis.push(end.saturating_duration_since(start).as_secs_f64() * 1e3);
        complete(&mut worker, &task).await?;
    }
    Ok(millis)
}

/// How long after its time each delayed task reaches the worker, in milliseconds.
async fn timers(server: &Server) -> Measured<Vec<f64>> {
    let mut connection = Connection::open(&server.host).await?;
    let mut late = Vec::new();
    for sample in 0..TIMERS {
        let delay = 20 + sample * 7 % 280;
        let body = json!({"type": "bench", "queue": "idle", "delay_ms": delay}).to_string();
        connection.post("/v1/tasks", &body).await?.json()?;
        let task = lease(&mut connection).await?;
        let now = SystemClockMillis::now()?;
        let due = task["scheduled_at"]
            .as_str()
            .ok_or("a delayed task has no scheduled_at")?;
        let due: jiff::Timestamp = due.parse()?;
        late.push(now - due.as_millisecond() as f64);
        complete(&mut connection, &task).await?;
    }
    Ok(late)
}

/// The wall clock that the server goes by, with fractions of a millisecond.
struct SystemClockMillis;

impl SystemClockMillis {
    #[allow(clippy::disallowed_methods)]
    fn now() -> Measured<f64> {
        Ok(SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs_f64()
            * 1e3)
    }
}

async fn lease(connection: &mut Connection) -> Measured<Value> {
    let body = json!({"queues": ["idle"], "worker": "bench", "wait_ms": 10_000, "max": 1});
    let answer = connection
        .post("/v1/leases", &body.to_string())
        .await?
        .json()?;
    let task = answer["tasks"].get(0).cloned();
    Ok(task.ok_or("no task was leased in 10 s")?)
}

async fn complete(connection: &mut Connection, task: &Value) -> Measured<()> {
    let body = json!({"task": task["id"], "lease_id": task["lease_id"]});
    connection
        .post("/v1/leases/complete", &body.to_string())
        .await?
        .json()?;
    Ok(())
}
