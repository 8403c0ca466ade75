//! The rules alone, on one core: submit, lease and complete over a small view.

use std::time::Instant;

use bytes::Bytes;
use russet_core::{
    Command, Complete, LeaseId, LeaseTask, NewTask, PartitionId, QueueName, RecordKey, Submit,
    TaskId, TaskType, Timestamp, Undecided, View, WorkerId, decide,
};

use super::figure::Target;
use super::{Figure, Measured, Options};

const TARGET: f64 = 1_000_000.0;

pub(super) fn measure(options: &Options) -> Measured<Vec<Figure>> {
    let (kind, queue) = (TaskType::new("bench")?, QueueName::new("bench")?);
    let payload = Bytes::from(vec![b'x'; super::lives::PAYLOAD_BYTES]);
    let mut view = View::default();
    view.records.insert(RecordKey::Queue(queue.clone()), None);
    let (start, mut decisions) = (Instant::now(), 0u64);
    while start.elapsed() < options.time {
        for _ in 0..1_000 {
            let now = Timestamp::from_millis(1_800_000_000_000 + decisions);
            let id = TaskId::new(now, PartitionId(0), decisions);
            view.records.insert(RecordKey::Task(id), None);
            let task = NewTask::new(id, kind.clone(), queue.clone(), payload.clone());
            life(&mut view, task, now)?;
            view.records.remove(&RecordKey::Task(id));
            decisions += 3;
        }
    }
    let rate = decisions as f64 / start.elapsed().as_secs_f64();
    let figure = Figure::new("core: decisions on one core", rate, "/s");
    Ok(vec![figure.against(
        "1,000,000 a second",
        TARGET,
        Target::AtLeast(1.0),
    )])
}

fn life(view: &mut View, task: NewTask, now: Timestamp) -> Measured<()> {
    let (id, lease) = (task.id, LeaseId::from_u128(task.id.as_u128()));
    let submit = Submit {
        workflow: None,
        tasks: vec![task],
    };
    let worker = WorkerId("bench".into());
    let commands = [
        Command::Submit(submit),
        Command::Lease(LeaseTask {
            task: id,
            lease,
            worker,
            duration: None,
        }),
        Command::Complete(Complete {
            task: id,
            lease,
            result: None,
            follow_ups: Vec::new(),
            progress: None,
        }),
    ];
    for command in commands {
        match decide(view, &command, now) {
            Ok(decision) => view.apply(&decision.writes),
            Err(Undecided::Rejected(rejection)) => return Err(rejection.into()),
            Err(Undecided::Contradiction(why)) => return Err(why.into()),
            Err(Undecided::Missing(keys)) => return Err(format!("missing {keys:?}").into()),
        }
    }
    Ok(())
}
