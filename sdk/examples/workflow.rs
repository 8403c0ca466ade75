//! A workflow whose tasks use the results of others, and a follow-up task that one of them
//! adds while it runs.
//!
//! `cargo run -p russet --example workflow`

use std::time::Duration;

use russet::wire::{ListTasks, SubmitTask, SubmitWorkflow};
use russet::{Client, Error, TaskContext, TaskFailure, TaskKind, Worker};
use serde::{Deserialize, Serialize};

/// Measures a city.
#[derive(Serialize, Deserialize)]
struct Measure {
    city: String,
}

impl TaskKind for Measure {
    const TYPE: &'static str = "measure";
    type Output = i64;
}

/// Compares what was measured.
#[derive(Serialize, Deserialize)]
struct Compare {}

impl TaskKind for Compare {
    const TYPE: &'static str = "compare";
    type Output = String;
}

/// Tells people.
#[derive(Serialize, Deserialize)]
struct Announce {
    news: String,
}

impl TaskKind for Announce {
    const TYPE: &'static str = "announce";
    type Output = ();
}

async fn measure(_: TaskContext, task: Measure) -> Result<i64, TaskFailure> {
    match task.city.as_str() {
        "Lisbon" => Ok(19),
        "Oslo" => Ok(-3),
        other => Err(TaskFailure::final_(format!("nobody measures in {other}"))),
    }
}

async fn compare(context: TaskContext, _: Compare) -> Result<String, TaskFailure> {
    let mut warmest = (i64::MIN, "nowhere".to_owned());
    for parent in context.parents().await? {
        let degrees = context.result_of::<Measure>(parent.id).await?;
        println!("{:?}: {degrees} °C", parent.name());
        warmest = warmest.max((degrees, parent.name().unwrap_or_default()));
    }
    let news = format!("it is warmest in {}", warmest.1);
    // Submitted together with this task's completion: both happen, or neither.
    context.follow_up(SubmitTask::of(&Announce { news: news.clone() })?);
    Ok(news)
}

async fn announce(_: TaskContext, task: Announce) -> Result<(), TaskFailure> {
    println!("announced: {}", task.news);
    Ok(())
}

async fn forecast(client: &Client) -> Result<(), Error> {
    let city = |city: &str| {
        let city = city.to_owned();
        Ok::<_, Error>(SubmitTask::of(&Measure { city: city.clone() })?.named(city))
    };
    let workflow = SubmitWorkflow::new("forecast")
        .with_task(city("Lisbon")?)
        .with_task(city("Oslo")?)
        .with_task(
            SubmitTask::of(&Compare {})?
                .named("compare")
                .after_named(["Lisbon", "Oslo"]),
        );
    let submitted = client.submit_workflow(workflow).await?;
    let compare = submitted.tasks["compare"];
    client
        .result::<Compare>(compare, Duration::from_secs(30))
        .await?;
    // The follow-up is there from the moment at which the comparison is complete.
    let page = ListTasks::default();
    let workflow = client.workflow(submitted.workflow, page).await?;
    for task in workflow.iter().flat_map(|workflow| &workflow.tasks.items) {
        let task = client.wait(task.id, Duration::from_secs(30)).await?;
        println!("{} {}", task.kind, task.status);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::in_memory();
    let worker = Worker::new(client.clone())
        .register(measure)
        .register(compare)
        .register(announce);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (worked, done) = tokio::join!(
        worker.run_until(async { stopped.await.unwrap_or_default() }),
        async {
            let done = forecast(&client).await;
            drop(stop);
            done
        }
    );
    worked?;
    done
}
