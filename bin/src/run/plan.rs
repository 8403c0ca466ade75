//! A workflow file as one submission.

use std::collections::HashMap;

use russet_core::{
    Dependency, Label, Millis, NameError, NewTask, NewWorkflow, QueueName, ResourceName, Resources,
    RetryPolicy, Submit, TaskId, TaskType, When, WorkflowId, limits as core_limits,
};

use super::limits;
use super::work::Payload;
use crate::workflow::{TaskSpec, Workflow};

/// The queue that a run's tasks wait in.
const QUEUE: &str = "run";

/// How far apart the identities of submissions are at least: room for those of their tasks.
const ROOM: u64 = (core_limits::WORKFLOW_TASKS as u64 + 1).next_power_of_two();

/// A workflow with the identities of its tasks: they are numbered from that of the submission,
/// in the order of the file, so that the file and the submission's identity tell all of them.
/// What succeeded in an earlier submission keeps its identity.
#[derive(Debug)]
pub(super) struct Plan {
    /// The newest submission.
    pub id: WorkflowId,
    pub workflow: Workflow,
    ids: Vec<TaskId>,
    /// The positions of those that are of earlier submissions.
    kept: HashMap<TaskId, usize>,
}

impl Plan {
    pub fn new(id: WorkflowId, workflow: Workflow) -> Self {
        let kept = vec![None; workflow.tasks.len()];
        Self::keeping(id, workflow, &kept)
    }

    /// With the identities that some tasks have from earlier submissions.
    pub fn keeping(id: WorkflowId, workflow: Workflow, kept: &[Option<TaskId>]) -> Self {
        let each = kept.iter().enumerate();
        let known = each.clone().filter_map(|(at, kept)| Some(((*kept)?, at)));
        Self {
            id,
            workflow,
            ids: each
                .map(|(at, kept)| kept.unwrap_or_else(|| Self::numbered(id, at)))
                .collect(),
            kept: known.collect(),
        }
    }

    /// An identity of a submission, with room for those of its tasks behind it.
    pub fn identity(now: russet_core::Timestamp, random: u64) -> WorkflowId {
        let partition = russet_core::PartitionId(0);
        TaskId::new(now, partition, random & !(ROOM - 1)).into()
    }

    /// The identity of the task at a position in the file of a submission.
    pub fn numbered(id: WorkflowId, position: usize) -> TaskId {
        TaskId::from_u128(id.as_u128() + 1 + position as u128)
    }

    /// The submission that a task came with.
    pub fn submission_of(task: TaskId) -> WorkflowId {
        WorkflowId::from_u128(task.as_u128() & !u128::from(ROOM - 1))
    }

    /// The identity of the task at a position.
    pub fn task_id(&self, position: usize) -> TaskId {
        self.ids[position]
    }

    /// The identities of all tasks.
    pub fn task_ids(&self) -> Vec<TaskId> {
        self.ids.clone()
    }

    /// The position of a task; `None` when it is not of this workflow, or has been submitted
    /// once more.
    pub fn position(&self, id: TaskId) -> Option<usize> {
        let number = id.as_u128().checked_sub(self.id.as_u128() + 1);
        let position = number.and_then(|number| usize::try_from(number).ok());
        let position = position.filter(|position| self.ids.get(*position) == Some(&id));
        position.or_else(|| self.kept.get(&id).copied())
    }

    /// A task's name in the file.
    pub fn name(&self, position: usize) -> &str {
        &self.workflow.tasks[position].name
    }

    pub fn queue() -> QueueName {
        QueueName::new(QUEUE).expect("a queue name")
    }

    /// The newest submission: all tasks that were not submitted before.
    ///
    /// # Errors
    /// A resource's name that the rules do not take.
    pub fn submission(&self) -> Result<Submit, NameError> {
        let tasks = self.workflow.tasks.iter().enumerate();
        let fresh = tasks.filter(|(position, _)| !self.kept.contains_key(&self.ids[*position]));
        let tasks: Result<_, _> = fresh
            .map(|(position, spec)| self.task(position, spec))
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

    fn task(&self, position: usize, spec: &TaskSpec) -> Result<NewTask, NameError> {
        let payload = Payload::of(spec);
        let kind = TaskType::new(payload.job.kind())?;
        let new = NewTask::new(self.task_id(position), kind, Self::queue(), payload.write());
        Ok(NewTask {
            label: Label::new(&spec.name).ok(),
            priority: spec.priority,
            retry: RetryPolicy {
                max_retries: spec.max_retries.unwrap_or(limits::RETRIES),
                ..RetryPolicy::default()
                    .with_backoff(spec.retry_delay.map_or(limits::RETRY_DELAY, millis))
            },
            start: spec.delay.map(|delay| When::In(millis(delay))),
            lease_duration: limits::LEASE,
            timeout: spec.timeout.map(millis),
            dependencies: self.dependencies(spec),
            if_unsatisfied: spec.if_unsatisfied,
            resources: resources(spec)?,
            expected: spec.run_time().map(millis),
            ..new
        })
    }

    fn dependencies(&self, spec: &TaskSpec) -> Vec<Dependency> {
        let edges = spec.depends_on.iter().map(|edge| Dependency {
            task: self.task_id(edge.task),
            on: edge.on,
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

    use russet_core::{DependencyOn, IfUnsatisfied, Timestamp};

    use super::*;
    use crate::workflow;

    fn plan(text: &str) -> Plan {
        let workflow = workflow::parse(Path::new("w.yaml"), text.as_bytes()).expect("a workflow");
        let id = Plan::identity(Timestamp::from_millis(1_700_000_000_000), u64::MAX);
        Plan::new(id, workflow)
    }

    #[test]
    fn ids_and_positions_tell_each_other() {
        let plan = plan("tasks: {a: {sleep: 1}, b: {sleep: 1}}");
        assert_eq!(plan.position(plan.task_id(1)), Some(1));
        assert_eq!(plan.position(Plan::numbered(plan.id, 2)), None);
        assert_eq!(plan.position(TaskId::from_u128(plan.id.as_u128())), None);
        assert_eq!(plan.position(TaskId::from_u128(0)), None);
        let last = Plan::numbered(plan.id, core_limits::WORKFLOW_TASKS - 1);
        assert_eq!(last.partition(), plan.id.partition());
    }

    #[test]
    fn a_submission_says_what_the_file_says() {
        let plan = plan(
            "tasks:
               a: {run: 'true', resources: {cpu: 2}, timeout: 3s, delay: 1s, expected: 5s, priority: 7}
               b: {sleep: 2, depends_on: [{task: a, on: completion}], max_retries: 0, if_unsatisfied: run}",
        );
        let submit = plan.submission().expect("can be submitted");
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
    }

    #[test]
    fn what_is_kept_is_not_submitted_again_and_can_be_depended_on() {
        let text = "tasks: {a: {sleep: 1}, b: {sleep: 1, depends_on: [a]}}";
        let first = plan(text);
        let id = Plan::identity(Timestamp::from_millis(1_700_000_000_001), 0);
        let kept = [Some(first.task_id(0)), None];
        let again = Plan::keeping(id, first.workflow.clone(), &kept);
        let submit = again.submission().expect("can be submitted");
        let [b] = submit.tasks.as_slice() else {
            panic!("one task")
        };
        assert_eq!(
            (b.id, b.dependencies[0].task),
            (again.task_id(1), first.task_id(0))
        );
        assert_eq!(again.position(first.task_id(0)), Some(0));
        assert_eq!(
            again.position(first.task_id(1)),
            None,
            "has been submitted again"
        );
        assert_eq!(
            again.position(Plan::numbered(id, 0)),
            None,
            "was never submitted"
        );
        assert_eq!(again.position(b.id), Some(1));
        assert_eq!(Plan::submission_of(first.task_id(0)), first.id);
        assert_eq!(Plan::submission_of(b.id), id);
    }
}
