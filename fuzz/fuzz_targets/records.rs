//! Stored bytes may be anything: reading them never panics, and what reads is written and
//! read again as it was. The first byte chooses whether the others are the record, or patches
//! of one that is sound.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use russet_core::command::{Extend, LeaseTask, NewWorkflow, Submit, When};
use russet_core::{
    Command, Dependency, DependencyOn, Idempotency, IdempotencyKey, Label, LeaseId, Millis,
    NewTask, PartitionId, Progress, QueueName, ResourceName, Resources, TaskId, TaskType,
    Timestamp, Undecided, View, Window, WorkerId, WorkflowId, codec, decide,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    match SOUND.get(usize::from(*choice)) {
        Some(sound) => check(&patched(sound, bytes)),
        None => {
            check(bytes);
            check(&[&[codec::FORMAT], bytes].concat());
        }
    }
});

fn check(bytes: &[u8]) {
    if let Ok(record) = codec::read(bytes) {
        let written = codec::write(&record);
        assert_eq!(codec::read(&written).as_ref(), Ok(&record));
        russet_core::entries(&record);
    }
}

/// Puts a byte elsewhere, cuts the end off, or adds to it.
fn patched(sound: &[u8], patches: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for patch in patches.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([patch[0], patch[1]]));
        match bytes.get_mut(at) {
            Some(byte) => *byte = patch[2],
            None if at % 2 == 0 => bytes.push(patch[2]),
            None => bytes.truncate(at % (bytes.len() + 1)),
        }
    }
    bytes
}

/// One record or more of most kinds.
static SOUND: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let id = |n| TaskId::new(Timestamp::from_millis(n), PartitionId(0), 7);
    let (first, second) = (id(1), id(2));
    let mut view = View::default();
    let mut single = new_task(id(3));
    single.idempotency = Some(key("single", Window::For(Millis::from_secs(60))));
    single.dependencies = vec![Dependency {
        task: TaskId::new(Timestamp::ZERO, PartitionId(1), 0),
        on: DependencyOn::Completion,
    }];
    let mut child = new_task(second);
    child.dependencies = vec![Dependency {
        task: first,
        on: DependencyOn::Success,
    }];
    let commands = [
        Command::Submit(Submit {
            workflow: Some(NewWorkflow {
                id: WorkflowId::from(first),
                name: Label::new("a workflow").ok(),
                idempotency: Some(key("workflow", Window::WhileLive)),
            }),
            tasks: vec![new_task(first), child],
        }),
        Command::Submit(Submit {
            workflow: None,
            tasks: vec![single],
        }),
        Command::Lease(LeaseTask {
            task: first,
            lease: LeaseId::from_u128(9),
            worker: WorkerId("worker".into()),
            duration: None,
        }),
        Command::Extend(Extend {
            task: first,
            lease: LeaseId::from_u128(9),
            duration: None,
            progress: Some(Progress {
                percent: Some(50),
                message: Some("half way".into()),
                checkpoint: Some(b"page 3".as_slice().into()),
            }),
        }),
    ];
    for command in commands {
        carry_out(&mut view, &command);
    }
    let records = view
        .records
        .iter()
        .filter_map(|(_, record)| record.as_ref());
    records.map(codec::write).collect()
});

fn new_task(id: TaskId) -> NewTask {
    let queue = QueueName::new("mail").expect("a name");
    let kind = TaskType::new("work").expect("a name");
    let cpu = ResourceName::new("cpu").expect("a name");
    NewTask {
        start: Some(When::At(Timestamp::ZERO)),
        expires: Some(When::In(Millis::from_secs(60))),
        timeout: Some(Millis::from_secs(10)),
        resources: Resources::from_iter([(cpu, 2)]),
        metadata: b"{}".as_slice().into(),
        ..NewTask::new(id, kind, queue, b"payload".as_slice().into())
    }
}

fn key(key: &str, window: Window) -> Idempotency {
    Idempotency {
        key: IdempotencyKey::new(key).expect("a key"),
        window,
    }
}

fn carry_out(view: &mut View, command: &Command) {
    loop {
        match decide(view, command, Timestamp::from_millis(1_000)) {
            Ok(decision) => return view.apply(&decision.writes),
            Err(Undecided::Missing(keys)) => {
                view.records.extend(keys.into_iter().map(|key| (key, None)));
            }
            Err(Undecided::Rejected(rejection)) => panic!("{rejection}"),
            Err(Undecided::Contradiction(why)) => panic!("{why}"),
        }
    }
}
