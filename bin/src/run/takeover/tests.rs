use russet_backends::memory::Memory;
use russet_core::Status;
use russet_engine::{Backend, Configuration, LeaseRequest, Scheduler, SystemClock, SystemEntropy};

use super::*;
use crate::run::plan::Plan;

/// A day later: every lease and every timeout is over.
struct Tomorrow;

#[async_trait::async_trait]
impl Clock for Tomorrow {
    fn now(&self) -> russet_core::Timestamp {
        SystemClock.now() + russet_core::Millis::from_days(1)
    }

    async fn sleep(&self, _: std::time::Duration) {}
}

#[tokio::test]
async fn leases_of_a_session_that_is_gone_are_released_and_cost_no_retry() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy = Arc::new(SystemEntropy::new());
    let memory = Memory::new(1, clock.clone());
    let backend = Backend {
        store: memory.clone(),
        queue: memory.clone(),
    };
    let scheduler = Scheduler::start(
        backend,
        Configuration::default(),
        clock.clone(),
        entropy.clone(),
    );
    let text = "tasks: {a: {run: 'true', timeout: 1h}, b: {sleep: 1}}";
    let workflow = crate::workflow::parse("w.yaml".as_ref(), text.as_bytes());
    let id = Plan::identity(clock.now(), entropy.next_u64());
    let plan = Plan::new(id, workflow.expect("a workflow"));
    let submit = plan.submission().expect("can be submitted");
    scheduler.submit(submit).await.expect("is accepted");
    let request = LeaseRequest {
        queues: vec![Plan::queue()],
        worker: russet_core::WorkerId("gone".into()),
        capacity: None,
        max: 10,
        duration: None,
        wait: std::time::Duration::ZERO,
    };
    let running = scheduler.lease(request).await.expect("are leased");
    assert_eq!(running.len(), 2);
    scheduler.stop().await;

    release(memory.as_ref(), &running, &Tomorrow, entropy.as_ref())
        .await
        .expect("releases");
    let found = tasks(memory.as_ref(), id.partition(), plan.task_ids()).await;
    for task in found.expect("reads").into_iter().flatten() {
        assert_eq!(
            (task.status, task.attempt, task.retry_count),
            (Status::Queued, 1, 0)
        );
    }
}
