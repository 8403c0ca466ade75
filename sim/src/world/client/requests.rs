//! The requests that a plan's tasks stand for.

use russet::wire::{DependsOn, Json, RetryView, SubmitTask, SubmitWorkflow, WindowView};
use russet_core::{IfUnsatisfied, PartitionId, TaskId, Timestamp};
use russet_engine::Entropy;

use super::Caller;
use crate::plan::{Plan, TaskNumber, TaskPlan};
use crate::world::time::now;
use crate::world::worker::Script;
use crate::world_time::EPOCH_MS;

/// Bytes that make a payload large.
const PADDING: usize = 1_100;

impl Caller {
    /// The request for a task. Without a key it has an id that is drawn here, once.
    pub(super) fn task(&self, plan: &TaskPlan) -> SubmitTask {
        let mut task = self.bare(plan);
        let known = self.known.lock();
        let parents = plan.dependencies.iter().filter_map(|(number, on)| {
            let task = known.ids.get(number)?.to_string();
            Some(DependsOn { task, on: *on })
        });
        task.dependencies = parents.collect();
        drop(known);
        if plan.key.is_none() {
            let id = self.new_id(plan.partition);
            self.known.learn(plan.number, id);
            task.id = Some(id);
        }
        task
    }

    pub(super) fn workflow(&self, key: Option<u8>, tasks: &[TaskPlan]) -> SubmitWorkflow {
        let name = |number: &TaskNumber| format!("task-{number}");
        let own = |number| tasks.iter().any(|task| task.number == number);
        let made = tasks.iter().map(|plan| {
            let parents = plan.dependencies.iter().filter(|(number, _)| own(*number));
            SubmitTask {
                name: Some(name(&plan.number)),
                depends_on: parents
                    .map(|(number, on)| DependsOn {
                        task: name(number),
                        on: *on,
                    })
                    .collect(),
                idempotency_key: None,
                idempotency_window_ms: None,
                ..self.bare(plan)
            }
        });
        let tasks: Vec<_> = made.collect();
        let id = key
            .is_none()
            .then(|| self.new_id(self.random.within(0..8) as u16).into());
        SubmitWorkflow {
            id,
            idempotency_key: key.map(key_text),
            tasks,
            ..SubmitWorkflow::default()
        }
    }

    fn bare(&self, plan: &TaskPlan) -> SubmitTask {
        let padding = if plan.max_retries % 2 == 0 {
            0
        } else {
            PADDING
        };
        let script = Script {
            attempts: plan.script.clone(),
            padding: "x".repeat(padding),
        };
        let cpu = (plan.cpu > 0).then(|| ("cpu".to_owned(), plan.cpu));
        SubmitTask {
            kind: "planned".to_owned(),
            queue: Some(Plan::queue(plan.queue)),
            payload: Json::new(&script).ok(),
            priority: plan.priority,
            max_retries: Some(plan.max_retries),
            retry: Some(RetryView {
                backoff_ms: Some(plan.backoff_ms),
                backoff_cap_ms: Some(plan.backoff_ms * 8),
                jitter_percent: Some(10),
            }),
            delay_ms: Some(plan.delay_ms).filter(|ms| *ms > 0),
            expires_in_ms: plan.expires_in_ms,
            visibility_timeout_ms: Some(plan.lease_ms),
            timeout_ms: plan.timeout_ms,
            retention_ms: plan.retention_ms,
            if_unsatisfied: Some(policy(plan.if_unsatisfied)),
            resource_requirements: cpu.into_iter().collect(),
            idempotency_key: plan.key.map(key_text),
            idempotency_window_ms: plan.key.map(|_| match plan.window_ms {
                Some(ms) => WindowView::Ms(ms),
                None => WindowView::WhileLive,
            }),
            ..SubmitTask::default()
        }
    }

    fn new_id(&self, partition: u16) -> TaskId {
        let at = Timestamp::from_millis(EPOCH_MS + now().millis());
        let partition = PartitionId(partition % self.partitions);
        TaskId::new(at, partition, self.random.next_u64())
    }
}

fn key_text(number: u8) -> String {
    format!("key-{number}")
}

fn policy(number: u8) -> IfUnsatisfied {
    match number {
        0 => IfUnsatisfied::Cancel,
        1 => IfUnsatisfied::Dead,
        _ => IfUnsatisfied::Run,
    }
}
