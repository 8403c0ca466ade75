//! What is submitted in a scenario.

use russet_core::command::When;
use russet_core::{
    Dependency, DependencyOn, ErrorKind, Idempotency, IdempotencyKey, IfUnsatisfied, Label,
    NewTask, PartitionId, QueueName, TaskId, TaskType, Timestamp, Window,
};

use crate::line::{Line, duration};
use crate::stage::Stage;

impl Stage {
    pub fn new_id(&mut self, name: &str, partition: PartitionId) -> TaskId {
        self.serial += 1;
        let id = TaskId::new(Timestamp::from_millis(self.serial), partition, 0);
        *self.names.entry(name.into()).or_insert(id)
    }

    pub fn new_task(&mut self, name: &str, mut line: Line) -> Result<NewTask, String> {
        let error = |e: russet_core::NameError| e.to_string();
        let partition = PartitionId(line.number("partition")?.unwrap_or_default());
        let id = self.new_id(name, partition);
        let kind = TaskType::new("work").map_err(error)?;
        let queue = line.take("queue").unwrap_or("mail".into());
        let payload = line.take("payload").unwrap_or_default().into_bytes();
        let queue = QueueName::new(queue).map_err(error)?;
        let mut task = NewTask::new(id, kind, queue, payload.into());
        task.label = line
            .take("label")
            .map(Label::new)
            .transpose()
            .map_err(error)?;
        task.priority = line.number("priority")?;
        task.retry.max_retries = line
            .number("max_retries")?
            .unwrap_or(task.retry.max_retries);
        task.retry.backoff = line.duration("backoff")?.unwrap_or(task.retry.backoff);
        task.start = line.duration("delay")?.map(When::In);
        task.expires = line.duration("expires")?.map(When::In);
        task.timeout = line.duration("timeout")?;
        task.lease_duration = line.duration("lease")?.unwrap_or(task.lease_duration);
        task.retention = line.duration("keep")?;
        task.idempotency = idempotency(&mut line)?;
        task.if_unsatisfied = match line.take("unsatisfied").as_deref() {
            None | Some("cancel") => IfUnsatisfied::Cancel,
            Some("dead") => IfUnsatisfied::Dead,
            Some("run") => IfUnsatisfied::Run,
            Some(other) => return Err(format!("unsatisfied={other} is no policy")),
        };
        for edge in line.take("after").iter().flat_map(|edges| edges.split(',')) {
            let (parent, on) = edge.split_once(':').unwrap_or((edge, "success"));
            let on = match on {
                "success" => DependencyOn::Success,
                "completion" => DependencyOn::Completion,
                "failure" => DependencyOn::Failure,
                other => return Err(format!("{other} is no end of a task")),
            };
            let task_id = self.new_id(parent, PartitionId(0));
            task.dependencies.push(Dependency { task: task_id, on });
        }
        line.finish()?;
        Ok(task)
    }
}

pub fn idempotency(line: &mut Line) -> Result<Option<Idempotency>, String> {
    let window = match line.take("window").as_deref() {
        None => Window::default(),
        Some("live") => Window::WhileLive,
        Some(time) => Window::For(duration(time)?),
    };
    let key = line
        .take("key")
        .map(IdempotencyKey::new)
        .transpose()
        .map_err(|e| e.to_string())?;
    Ok(key.map(|key| Idempotency { key, window }))
}

pub fn error_kind(name: Option<String>) -> Result<ErrorKind, String> {
    let kinds = [
        ErrorKind::Failed,
        ErrorKind::Final,
        ErrorKind::Panicked,
        ErrorKind::TimedOut,
    ];
    let Some(name) = name else {
        return Ok(ErrorKind::Failed);
    };
    let known = kinds.into_iter().find(|kind| kind.as_str() == name);
    known.ok_or(format!("{name} is no failure of a worker"))
}
