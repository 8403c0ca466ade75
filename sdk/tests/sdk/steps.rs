use russet::core::Status;
use russet::{TaskContext, TaskFailure, Worker};

use crate::world::{Counter, Running, Work, client, ended, submit, work};

#[tokio::test(start_paused = true)]
async fn a_step_is_done_once_over_all_attempts() {
    let client = client();
    let (charged, shipped) = (Counter::default(), Counter::default());
    let (charges, ships) = (charged.clone(), shipped.clone());
    let handler = move |context: TaskContext, _: Work| {
        let (charges, ships) = (charges.clone(), ships.clone());
        async move {
            let mut steps = context.steps()?;
            let charge = |key: String| async move {
                charges.add();
                Ok::<_, TaskFailure>(key)
            };
            let receipt = steps.run("charge", charge).await?;
            assert_eq!(receipt, context.idempotency_key("charge"));
            if context.attempt() < 3 {
                return Err(TaskFailure::retry("the network is down"));
            }
            let ship = |_| async move { Ok::<_, TaskFailure>(ships.add()) };
            steps.run("ship", ship).await?;
            Ok(())
        }
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 3));
    assert_eq!((charged.get(), shipped.get()), (1, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_is_done_again() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        let mut steps = context.steps()?;
        let attempt = context.attempt();
        let step = |_| async move {
            match attempt {
                1 => Err(TaskFailure::retry("not yet")),
                _ => Ok(attempt),
            }
        };
        assert_eq!(steps.run("try", step).await?, 2);
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    assert_eq!(ended(&client, id).await.status, Status::Succeeded);
    running.stop().await;
}
