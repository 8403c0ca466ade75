//! Work whose effects happen once, although its attempts fail and its submitter repeats
//! itself: an idempotency key for the submission, steps that are kept in the task's
//! checkpoint, and a key for each step that the other system tells repetitions by.
//!
//! `cargo run -p russet --example exactly_once`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russet::wire::SubmitTask;
use russet::{Client, Error, TaskContext, TaskFailure, TaskKind, Worker};
use serde::{Deserialize, Serialize};

/// Another system, which knows payments by the key that they were asked for with.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<BTreeMap<String, u64>>>);

impl Bank {
    /// Pays once for each key; the receipt says how many payments there are.
    async fn pay(&self, key: &str, cents: u64) -> Result<String, TaskFailure> {
        let mut payments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if payments.insert(key.to_owned(), cents).is_none() {
            println!("paid {cents} cents under {key}");
        }
        Ok(format!("receipt {}", payments.len()))
    }

    fn payments(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Pays an invoice and books it.
#[derive(Serialize, Deserialize)]
struct PayInvoice {
    invoice: String,
    cents: u64,
}

impl TaskKind for PayInvoice {
    const TYPE: &'static str = "pay_invoice";
    type Output = String;
}

async fn pay(context: TaskContext, bank: Bank, task: PayInvoice) -> Result<String, TaskFailure> {
    let mut steps = context.steps()?;
    // An attempt may end after the payment and before the step is kept. The next one then
    // pays again under the same key, which the bank knows.
    let payment = async |key: String| bank.pay(&key, task.cents).await;
    let receipt = steps.run("payment", payment).await?;
    if context.attempt() == 1 {
        return Err(TaskFailure::retry_after(
            "the ledger is closed",
            Duration::from_millis(50),
        ));
    }
    let booking = async |_| Ok::<_, TaskFailure>(format!("{}: {receipt}", task.invoice));
    steps.run("booking", booking).await
}

async fn invoices(client: &Client) -> Result<(), Error> {
    let task = PayInvoice {
        invoice: "2026-0117".to_owned(),
        cents: 12_900,
    };
    let key = format!("pay {}", task.invoice);
    let task = SubmitTask::of(&task)?.with_idempotency_key(key);
    let first = client.submit(task.clone()).await?;
    let second = client.submit(task).await?;
    assert_eq!(first.task, second.task, "the same key is the same task");
    let booked = client
        .result::<PayInvoice>(first.task, Duration::from_secs(30))
        .await?;
    println!("booked {booked}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::in_memory();
    let bank = Bank::default();
    let worker = {
        let bank = bank.clone();
        Worker::new(client.clone()).register(move |context, task| pay(context, bank.clone(), task))
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (worked, done) = tokio::join!(
        worker.run_until(async { stopped.await.unwrap_or_default() }),
        async {
            let done = invoices(&client).await;
            drop(stop);
            done
        }
    );
    worked?;
    done?;
    assert_eq!(
        bank.payments(),
        1,
        "two attempts and two submissions pay once"
    );
    Ok(())
}
