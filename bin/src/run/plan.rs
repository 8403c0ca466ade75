//! A workflow file as one submission.

use russet_core::{
    Dependency, DependencyOn, IfUnsatisfied, Label, Millis, NameError, NewTask, NewWorkflow,
    QueueName, ResourceName, Resources, RetryPolicy, Submit, TaskId, TaskType, When, WorkflowId,
    limits as core_limits,
};

use super::limits;
use super::work::Payload;
use crate::workflow::{self, On, TaskSpec, Workflow};

/// The queue that a run's tasks wait in.
const QUEUE: &str = "run";

/// A workflow with the identities of its tasks: they are numbered from the workflow's own, in
/// the order of the file, so that the file and the workflow's identity tell all of them.
#[derive(Debug)]
pub(super) struct Plan {
    pub id: WorkflowId,
    pub workflow: Workflow,
}

impl Plan {
    pub fn new(id: WorkflowId, workflow: Workflow) -> Self {
        Self { id, workflow }
    }

    /// An identity with room for those of the tasks behind it.
    pub fn identity(now: russet_core::Timestamp, random: u64) -> WorkflowId {
        let room = (core_limits::WORKFLOW_TASKS + 1).next_power_of_two() as u64;
        let partition = russet_core::PartitionId(0);
        TaskId::new(now, partition, random & !(room - 1)).into()
    }

    /// The identity of the task at a position.
    pub fn task_id(&self, position: usize) -> TaskId {
        TaskId::from_u128(self.id.as_u128() + 1 + position as u128)
    }

    /// The identities of all tasks.
    pub fn task_ids(&self) -> Vec<TaskId> {
        let positions = 0..self.workflow.tasks.len();
        positions.map(|position| self.task_id(position)).collect()
    }

    /// The position of a task; `None` when it is not of this workflow.
    pub fn position(&self, id: TaskId) -> Option<usize> {
        let number = id.as_u128().checked_sub(self.id.as_u128() + 1)?;
        let position = usize::try_from(number).ok()?;
        (position < self.workflow.tasks.len()).then_some(position)
    }

    /// A task's name in the file.
    pub fn name(&self, position: usize) -> &str {
        &self.workflow.tasks[position].name
    }

    pub fn queue() -> QueueName {
        QueueName::new(QUEUE).expect("a queue name")
    }

    /// The one submission that the whole workflow is. With `counted` the tasks name the
    /// resources that they need.
    ///
    /// # Errors
    /// A resource's name that the rules do not take.
    pub fn submission(&self, counted: bool) -> Result<Submit, NameError> {
        let tasks = self.workflow.tasks.iter().enumerate();
        let tasks: Result<_, _> = tasks
            .map(|(position, spec)| self.task(position, spec, counted))
            .collect();
        Ok(Submit {
            workflow: Some(NewWorkflow {
                id: self.id,
                name: Label::new(&self.workflow.name).ok(),
                idempotency: None,
            }),
            tasks: tasks?,
        })
    }

    fn task(&self, position: usize, spec: &TaskSpec, counted: bool) -> Result<NewTask, NameError> {
        let payload = Payload::of(spec);
        let kind = TaskType::new(payload.job.kind())?;
        let new = NewTask::new(self.task_id(position), kind, Self::queue(), payload.write());
        let resources = if counted {
            resources(spec)?
        } else {
            Resources::NONE
        };
        Ok(NewTask {
            label: Label::new(&spec.name).ok(),
            priority: spec.priority,
            retry: RetryPolicy {
                max_retries: spec.max_retries.unwrap_or(limits::RETRIES),
                backoff: spec.retry_delay.map_or(limits::RETRY_DELAY, millis),
                ..RetryPolicy::default()
            },
            start: spec.delay.map(|delay| When::In(millis(delay))),
            lease_duration: limits::LEASE,
            timeout: spec.timeout.map(millis),
            dependencies: self.dependencies(spec),
            if_unsatisfied: match spec.if_unsatisfied {
                workflow::IfUnsatisfied::Cancel => IfUnsatisfied::Cancel,
                workflow::IfUnsatisfied::Dead => IfUnsatisfied::Dead,
                workflow::IfUnsatisfied::Run => IfUnsatisfied::Run,
            },
            resources,
            expected: spec.run_time().map(millis),
            ..new
        })
    }

    fn dependencies(&self, spec: &TaskSpec) -> Vec<Dependency> {
        let edges = spec.depends_on.iter().map(|edge| Dependency {
            task: self.task_id(edge.task),
            on: match edge.on {
                On::Success => DependencyOn::Success,
                On::Completion => DependencyOn::Completion,
                On::Failure => DependencyOn::Failure,
            },
        });
        edges.collect()
    }
}

fn resources(spec: &TaskSpec) -> Result<Resources, NameError> {
    let amounts = spec.resources.iter();
    amounts
        .map(|(name, amount)| Ok((ResourceName::new(name)?, *amount)))
        .collect()
}

fn millis(time: std::time::Duration) -> Millis {
    Millis::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use russet_core::Timestamp;

    use super::*;

    fn plan(text: &str) -> Plan {
        let workflow = workflow::parse(Path::new("w.yaml"), text.as_bytes()).expect("a workflow");
        let id = Plan::identity(Timestamp::from_millis(1_700_000_000_000), u64::MAX);
        Plan::new(id, workflow)
    }

    #[test]
    fn ids_and_positions_tell_each_other() {
        let plan = plan("tasks: {a: {sleep: 1}, b: {sleep: 1}}");
        assert_eq!(plan.position(plan.task_id(1)), Some(1));
        assert_eq!(plan.position(plan.task_id(2)), None);
        assert_eq!(plan.position(TaskId::from_u128(plan.id.as_u128())), None);
        assert_eq!(plan.position(TaskId::from_u128(0)), None);
        let last = plan.task_id(core_limits::WORKFLOW_TASKS - 1);
        assert_eq!(last.partition(), plan.id.partition());
    }

    #[test]
    fn a_submission_says_what_the_file_says() {
        let plan = plan(
            "tasks:
               a: {run: 'true', resources: {cpu: 2}, timeout: 3s, delay: 1s, expected: 5s, priority: 7}
               b: {sleep: 2, depends_on: [{task: a, on: completion}], max_retries: 0, if_unsatisfied: run}",
        );
        let submit = plan.submission(true).expect("can be submitted");
        let [a, b] = submit.tasks.as_slice() else {
            panic!("two tasks")
        };
        assert_eq!((a.kind.as_str(), b.kind.as_str()), ("shell", "sleep"));
        assert_eq!(a.timeout, Some(Millis::new(3_000)));
        assert_eq!(a.start, Some(When::In(Millis::new(1_000))));
        assert_eq!(
            (a.expected, b.expected),
            (Some(Millis::new(5_000)), Some(Millis::new(2_000)))
        );
        assert_eq!((a.priority, b.priority), (Some(7), None));
        assert_eq!(
            (a.retry.max_retries, b.retry.max_retries),
            (limits::RETRIES, 0)
        );
        assert_eq!(b.dependencies[0].task, a.id);
        assert_eq!(b.dependencies[0].on, DependencyOn::Completion);
        assert_eq!(b.if_unsatisfied, IfUnsatisfied::Run);
        assert_eq!(a.resources.len(), 1);
        let uncounted = plan.submission(false).expect("can be submitted");
        assert!(uncounted.tasks.iter().all(|task| task.resources.is_empty()));
    }
}
