//! Records and their versions.

use bytes::Bytes;
use russet_core::{
    Dedup, Dependency, DependencyOn, IdempotencyKey, Label, Leader, MessageId, Named, NodeId,
    Outbox, QueueConfig, QueueRecord, Record, RecordKey, Task, Timestamp, Window, Workflow,
};
use russet_engine::{Change, Outcome};

use crate::conformance::Factory;
use crate::conformance::fixtures::{create, queue_name, remove, replace, task_of, workflow_of};
use crate::conformance::world::{FIRST, SECOND, World};

/// Compare and swap: creating what is there conflicts.
pub async fn a_record_is_created_once(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let task = world.task(FIRST);
    let transaction = world.transaction(vec![create(&task)]);
    let version = transaction.version;
    assert_eq!(
        world.commit(FIRST, vec![transaction]).await,
        [Outcome::Committed]
    );
    let loaded = world.load_task(task.id).await;
    assert_eq!(loaded.version, version);
    assert_eq!(task_of(&loaded.record), task);

    let other = Task {
        priority: 9,
        ..task
    };
    assert_eq!(
        world.try_change(FIRST, vec![create(&other)]).await,
        Outcome::Conflict
    );
    assert_eq!(world.load_task(other.id).await, loaded);
}

/// Compare and swap: a stale version conflicts and changes nothing.
pub async fn an_update_needs_the_current_version(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let task = world.task(FIRST);
    world.create(&task).await;
    let first = world.load_task(task.id).await;
    world.edit(task.id, |task| task.attempt = 2).await;
    let second = world.load_task(task.id).await;
    assert_ne!(first.version, second.version);
    assert_eq!(task_of(&second.record).attempt, 2);

    let late = Task {
        attempt: 3,
        ..task.clone()
    };
    let outcome = world
        .try_change(FIRST, vec![replace(first.clone(), &late)])
        .await;
    assert_eq!(outcome, Outcome::Conflict);
    let removal = remove(RecordKey::Task(task.id), first);
    assert_eq!(
        world.try_change(FIRST, vec![removal]).await,
        Outcome::Conflict
    );
    assert_eq!(world.load_task(task.id).await, second);
}

/// Compare and swap: an update does not create.
pub async fn a_record_that_is_absent_cannot_be_updated(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (known, unknown) = (world.task(FIRST), world.task(FIRST));
    world.create(&known).await;
    let before = world.load_task(known.id).await;
    let outcome = world
        .try_change(FIRST, vec![replace(before, &unknown)])
        .await;
    assert_eq!(outcome, Outcome::Conflict);
    let key = RecordKey::Task(unknown.id);
    assert_eq!(world.load(FIRST, &key).await, None);
}

/// Compare and swap: removing.
pub async fn a_record_is_removed_by_its_current_version(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let task = world.task(FIRST);
    let key = RecordKey::Task(task.id);
    world.create(&task).await;
    let before = world.load_task(task.id).await;
    world
        .change(FIRST, vec![remove(key.clone(), before.clone())])
        .await;
    assert_eq!(world.load(FIRST, &key).await, None);
    let again = world.try_change(FIRST, vec![remove(key, before)]).await;
    assert_eq!(again, Outcome::Conflict);
}

/// Compare and swap: whoever loaded the first one does not take the second for it.
pub async fn a_record_that_was_removed_and_made_again_has_another_version(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let task = world.task(FIRST);
    world.create(&task).await;
    let first = world.load_task(task.id).await;
    let removal = remove(RecordKey::Task(task.id), first.clone());
    world.change(FIRST, vec![removal]).await;
    world.create(&task).await;
    assert_ne!(world.load_task(task.id).await.version, first.version);
    let late = world.try_change(FIRST, vec![replace(first, &task)]).await;
    assert_eq!(late, Outcome::Conflict);
}

/// Every record key has a place of its own, and every record comes back as it was.
pub async fn every_kind_of_record_is_kept(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let records = one_of_each_kind(&world);
    let changes = records.iter().map(|(key, record)| Change {
        key: key.clone(),
        before: None,
        after: Some(record.clone()),
    });
    world.change(FIRST, changes.collect()).await;
    for (key, record) in &records {
        let loaded = world.load(FIRST, key).await;
        assert_eq!(loaded.map(|known| known.record).as_ref(), Some(record));
    }
    let mut removals = Vec::new();
    for (key, _) in &records {
        let before = world.load(FIRST, key).await;
        removals.push(remove(key.clone(), before.expect("the record is there")));
    }
    world.change(FIRST, removals).await;
    for (key, _) in &records {
        assert_eq!(world.load(FIRST, key).await, None, "{key:?} is removed");
    }
}

/// The limits of `russet-core` fit into the store.
pub async fn a_record_with_the_largest_payload_is_kept(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let bytes = russet_core::limits::PAYLOAD_BYTES.min(world.store.limits().record_bytes / 2);
    let task = Task {
        payload: Bytes::from(vec![7; bytes]),
        ..world.task(FIRST)
    };
    world.create(&task).await;
    assert_eq!(task_of(&world.load_task(task.id).await.record), task);
}

/// Many keys are loaded at once, and absent ones keep their place in the answer.
pub async fn records_are_loaded_in_the_order_of_their_keys(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let tasks: Vec<Task> = (0..5).map(|_| world.task(FIRST)).collect();
    for task in tasks.iter().step_by(2) {
        world.create(task).await;
    }
    let keys: Vec<_> = tasks.iter().rev().map(|t| RecordKey::Task(t.id)).collect();
    let loaded = world.store.get(FIRST, &keys).await;
    let loaded = loaded.expect("the store loads").into_iter();
    let found: Vec<_> = loaded
        .map(|known| known.map(|known| task_of(&known.record).id))
        .collect();
    let expected = [Some(4), None, Some(2), None, Some(0)];
    assert_eq!(
        found,
        expected.map(|n: Option<usize>| n.map(|n| tasks[n].id))
    );
    let nothing = world.store.get(FIRST, &[]).await;
    assert_eq!(nothing.expect("the store loads"), []);
}

/// The same key in two partitions names two records.
pub async fn partitions_have_records_of_their_own(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    assert_eq!(world.store.partitions(), 2);
    let leader = |partition, node| {
        let record = Record::Leader(Leader {
            holder: NodeId::from_u128(node),
            epoch: 1,
            expires_at: Timestamp::ZERO,
        });
        let change = Change {
            key: RecordKey::Leader,
            before: None,
            after: Some(record.clone()),
        };
        (partition, change, record)
    };
    let both = [leader(FIRST, 1), leader(SECOND, 2)];
    for (partition, change, _) in &both {
        world.change(*partition, vec![change.clone()]).await;
    }
    for (partition, _, record) in both {
        let loaded = world.load(partition, &RecordKey::Leader).await;
        assert_eq!(loaded.map(|known| known.record), Some(record));
    }
}

fn one_of_each_kind(world: &World) -> Vec<(RecordKey, Record)> {
    let (task, other) = (world.task(FIRST), world.task(FIRST));
    let at = task.created_at;
    let edge = Dependency {
        task: other.id,
        on: DependencyOn::Completion,
    };
    let message = russet_core::Message::Watch {
        parent: other.id,
        child: task.id,
        on: DependencyOn::Failure,
        life: Some(7),
    };
    let key = IdempotencyKey::new("order 66 / ü").expect("an idempotency key");
    let outbox = Outbox {
        message,
        tries: 3,
        due_at: at,
    };
    vec![
        (RecordKey::Task(task.id), Record::Task(task.clone().into())),
        (
            RecordKey::Dependencies(task.id, 1),
            Record::Dependencies(vec![edge].into()),
        ),
        (
            RecordKey::Dependents(task.id, 1),
            Record::Dependents(vec![edge; 2].into()),
        ),
        (RecordKey::Waits(task.id, other.id), Record::Waits(edge)),
        (
            RecordKey::Dedup(key),
            Record::Dedup(
                Dedup {
                    named: Named::Task(task.id),
                    request: 1 << 100,
                    window: Window::WhileLive,
                    created_at: at,
                }
                .into(),
            ),
        ),
        (
            RecordKey::Workflow(workflow_of(&task)),
            Record::Workflow(
                Workflow {
                    id: workflow_of(&task),
                    name: Label::new("nightly").ok(),
                    created_at: at,
                    completed_at: None,
                    tasks: 5,
                    succeeded: 1,
                    dead: 1,
                    cancelled: 1,
                    not_needed: 0,
                    purged: 1,
                    members: 1 << 99,
                    idempotency: None,
                    gate: None,
                }
                .into(),
            ),
        ),
        (
            RecordKey::Queue(queue_name("emails")),
            Record::Queue(
                QueueRecord {
                    name: queue_name("emails"),
                    config: QueueConfig::default(),
                    running: 3,
                    updated_at: at,
                }
                .into(),
            ),
        ),
        (
            RecordKey::Outbox(MessageId::from_u128(message.id().as_u128())),
            Record::Outbox(outbox.into()),
        ),
        (
            RecordKey::Gated(workflow_of(&task), 1),
            Record::Gated(vec![RecordKey::Task(task.id)].into()),
        ),
        (
            RecordKey::Leader,
            Record::Leader(Leader {
                holder: NodeId::from_u128(9),
                epoch: 2,
                expires_at: at,
            }),
        ),
    ]
}
