//! A client: does its steps of the plan, each until it knows the answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet::wire::{
    ConfigureQueue, DependsOn, Json, ListTasks, RetryView, SubmitTask, SubmitWorkflow, WindowView,
};
use russet::{Client, Error};
use russet_core::{IfUnsatisfied, PartitionId, TaskId, Timestamp};
use russet_engine::Entropy;
use tokio::time::{sleep, timeout};

use super::time::now;
use super::worker::Script;
use crate::plan::{Act, Plan, Random, Step, TaskNumber, TaskPlan};
use crate::world_time::EPOCH_MS;

/// How often a client sends again what was not answered.
const TRIES: u32 = 8;
/// Workflows of more tasks than this take long to submit on a store of small transactions.
const MANY: usize = 20;

/// What all clients know of the tasks that they submit.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    ids: BTreeMap<TaskNumber, TaskId>,
    requests: BTreeMap<usize, Request>,
}

#[derive(Clone)]
enum Request {
    Tasks(Vec<(TaskNumber, SubmitTask)>),
    Workflow(Vec<TaskNumber>, Box<SubmitWorkflow>),
}

/// What the steps of a client are done with.
#[derive(Clone)]
pub struct Caller {
    /// The client.
    pub client: Client,
    /// What is known of tasks.
    pub known: Known,
    /// Chance.
    pub random: Arc<Random>,
    /// The store's partitions.
    pub partitions: u16,
}

impl Caller {
    /// Does a step, the one at this position of the plan.
    pub async fn step(&self, at: usize, step: &Step) {
        match &step.act {
            Act::Submit(tasks) => {
                let made = tasks.iter().map(|task| (task.number, self.task(task)));
                self.submit(at, Request::Tasks(made.collect())).await;
            }
            Act::Workflow { key, tasks } => {
                let numbers = tasks.iter().map(|task| task.number).collect();
                let workflow = Box::new(self.workflow(*key, tasks));
                self.submit(at, Request::Workflow(numbers, workflow)).await;
            }
            Act::Again(before) => {
                let request = self.known.lock().requests.get(before).cloned();
                if let Some(request) = request {
                    self.submit(*before, request).await;
                }
            }
            act => {
                // Refusals are in the history.
                let _ = self.other(act).await;
            }
        }
    }

    async fn other(&self, act: &Act) -> Result<(), Error> {
        let client = &self.client;
        let id = |number: &TaskNumber| self.known.lock().ids.get(number).copied();
        match act {
            Act::Cancel(number) => {
                if let Some(id) = id(number) {
                    client.cancel(id, Some("planned")).await?;
                }
            }
            Act::Redrive(number) => {
                if let Some(id) = id(number) {
                    client.redrive(id).await?;
                }
            }
            Act::RedriveAll(queue) => {
                client.redrive_all(Some(&Plan::queue(*queue))).await?;
            }
            Act::Purge(number) => {
                if let Some(id) = id(number) {
                    client.purge(id).await?;
                }
            }
            Act::Get(number) => {
                if let Some(id) = id(number) {
                    client.get(id).await?;
                }
            }
            Act::Wait(number) => {
                if let Some(id) = id(number) {
                    client.wait(id, Duration::from_secs(5)).await?;
                }
            }
            Act::List => {
                client.list(ListTasks::default()).await?;
            }
            Act::Pause(queue) => {
                client.pause(&Plan::queue(*queue)).await?;
            }
            Act::Resume(queue) => {
                client.resume(&Plan::queue(*queue)).await?;
            }
            Act::Limit(queue, limit) => {
                let change = ConfigureQueue {
                    concurrency: Some(*limit),
                    ..ConfigureQueue::default()
                };
                client.configure(&Plan::queue(*queue), change).await?;
            }
            Act::Submit(_) | Act::Workflow { .. } | Act::Again(_) => {}
        }
        Ok(())
    }

    /// Submits. Some who wait for many tasks vanish meanwhile.
    async fn submit(&self, at: usize, request: Request) {
        let vanishes = match &request {
            Request::Workflow(tasks, _) => tasks.len() > MANY && self.random.percent(40),
            Request::Tasks(_) => false,
        };
        if vanishes {
            let patience = Duration::from_millis(self.random.within(2..1_000));
            // What becomes of it is in the history.
            let _ = timeout(patience, self.submit_until_answered(at, request)).await;
        } else {
            self.submit_until_answered(at, request).await;
        }
    }

    /// Submits until there is an answer, or patience ends.
    async fn submit_until_answered(&self, at: usize, request: Request) {
        self.known.lock().requests.insert(at, request.clone());
        for _ in 0..TRIES {
            let done = match &request {
                Request::Tasks(tasks) => self.submit_tasks(tasks).await,
                Request::Workflow(numbers, workflow) => {
                    self.submit_workflow(numbers, workflow).await
                }
            };
            match done {
                Err(error) if error.is_temporary() => sleep(Duration::from_millis(700)).await,
                _ => return,
            }
        }
    }

    async fn submit_tasks(&self, tasks: &[(TaskNumber, SubmitTask)]) -> Result<(), Error> {
        if let [(number, task)] = tasks {
            let submitted = self.client.submit(task.clone()).await?;
            self.known.learn(*number, submitted.task);
            return Ok(());
        }
        let all = tasks.iter().map(|(_, task)| task.clone()).collect();
        let mut result = Ok(());
        let results = self.client.submit_many(all).await;
        for ((number, _), submitted) in tasks.iter().zip(results) {
            match submitted {
                Ok(submitted) => self.known.learn(*number, submitted.task),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    async fn submit_workflow(
        &self,
        numbers: &[TaskNumber],
        workflow: &SubmitWorkflow,
    ) -> Result<(), Error> {
        let submitted = self.client.submit_workflow(workflow.clone()).await?;
        for (number, task) in numbers.iter().zip(&workflow.tasks) {
            let name = task.name.as_deref().unwrap_or_default();
            if let Some(id) = submitted.tasks.get(name) {
                self.known.learn(*number, *id);
            }
        }
        Ok(())
    }

    /// The request for a task. Without a key it has an id that is drawn here, once.
    fn task(&self, plan: &TaskPlan) -> SubmitTask {
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

    fn workflow(&self, key: Option<u8>, tasks: &[TaskPlan]) -> SubmitWorkflow {
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
        let script = Script {
            attempts: plan.script.clone(),
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

impl Known {
    fn learn(&self, number: TaskNumber, id: TaskId) {
        self.lock().ids.insert(number, id);
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resumes all queues and lifts their limits, until that is done.
pub async fn calm(caller: Caller, queues: Vec<String>) {
    for queue in queues {
        let change = ConfigureQueue {
            paused: Some(false),
            concurrency: Some(None),
            ..ConfigureQueue::default()
        };
        while caller
            .client
            .configure(&queue, change.clone())
            .await
            .is_err()
        {
            sleep(Duration::from_secs(1)).await;
        }
    }
}
