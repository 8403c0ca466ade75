//! A typed task and its worker, with a scheduler in the same process.
//!
//! `cargo run -p russet --example typed_task`

use std::time::Duration;

use russet::wire::SubmitTask;
use russet::{Client, TaskContext, TaskFailure, TaskKind, Worker};
use serde::{Deserialize, Serialize};

/// The payload; the type says what runs it and what comes out.
#[derive(Serialize, Deserialize)]
struct CountWords {
    text: String,
}

impl TaskKind for CountWords {
    const TYPE: &'static str = "count_words";
    type Output = usize;
}

async fn count_words(context: TaskContext, task: CountWords) -> Result<usize, TaskFailure> {
    if task.text.is_empty() {
        return Err(TaskFailure::final_("there is nothing to count"));
    }
    if context.attempt() == 1 {
        // Any error is tried again after a pause; this one happens once.
        "forty-two".parse::<u64>()?;
    }
    Ok(task.text.split_whitespace().count())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With a server: `Client::http("http://127.0.0.1:7718")?`
    let client = Client::in_memory();
    let worker = Worker::new(client.clone()).register(count_words);

    let text = "it is better to wear out than to rust out".to_owned();
    let task = SubmitTask::of(&CountWords { text })?.with_priority(7);
    let submitted = client.submit(task).await?;

    let ask = async {
        let words = client.result::<CountWords>(submitted.task, Duration::from_secs(30));
        println!("{} words", words.await?);
        let task = client
            .get(submitted.task)
            .await?
            .ok_or("the task is gone")?;
        let failure = task.last_error.ok_or("it failed once")?;
        println!(
            "attempt {} did it, after: {}",
            task.attempt, failure.message
        );
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    // The worker runs until the answer is there; `run_until_signal` is for a process of its own.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (worked, asked) = tokio::join!(
        worker.run_until(async { stopped.await.unwrap_or_default() }),
        async {
            let asked = ask.await;
            drop(stop);
            asked
        }
    );
    worked?;
    asked
}
