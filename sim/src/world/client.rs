//! A client: does its steps of the plan, each until it knows the answer.

mod requests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet::wire::{ConfigureQueue, ListTasks, SubmitTask, SubmitWorkflow};
use russet::{Client, Error};
use russet_core::{TaskId, WorkflowId};
use tokio::time::{sleep, timeout};

use crate::plan::{Act, Plan, Random, Step, TaskNumber};

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
    /// The workflow that a task was submitted with.
    workflows: BTreeMap<TaskNumber, WorkflowId>,
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
                let numbers: Vec<_> = tasks.iter().map(|task| task.number).collect();
                let workflow = Box::new(self.workflow(*key, tasks));
                if let Some(id) = workflow.id {
                    self.known.learn_workflow(&numbers, id);
                }
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
            Act::CancelWorkflow(of) => {
                let id = self.known.lock().workflows.get(of).copied();
                if let Some(id) = id {
                    client.cancel_workflow(id, Some("planned")).await?;
                }
            }
            Act::Redrive(number) => {
                if let Some(id) = id(number) {
                    client.redrive(id).await?;
                }
            }
            Act::RedriveCancelled(number) => {
                if let Some(id) = id(number) {
                    client.redrive_cancelled(id).await?;
                }
            }
            Act::RedriveWorkflow { of, cancelled } => {
                let id = self.known.lock().workflows.get(of).copied();
                if let Some(id) = id {
                    client.redrive_workflow(id, *cancelled).await?;
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
            Request::Workflow(tasks, _) => tasks.len() > MANY && self.random.percent(70),
            Request::Tasks(_) => false,
        };
        if vanishes {
            let patience = Duration::from_millis(self.random.within(2..300));
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
        self.known.learn_workflow(numbers, submitted.workflow);
        for (number, task) in numbers.iter().zip(&workflow.tasks) {
            let name = task.name.as_deref().unwrap_or_default();
            if let Some(id) = submitted.tasks.get(name) {
                self.known.learn(*number, *id);
            }
        }
        Ok(())
    }
}

impl Known {
    fn learn(&self, number: TaskNumber, id: TaskId) {
        self.lock().ids.insert(number, id);
    }

    fn learn_workflow(&self, numbers: &[TaskNumber], id: WorkflowId) {
        let own = numbers.iter().map(|number| (*number, id));
        self.lock().workflows.extend(own);
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
