use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russet_core::{Epoch, PartitionId, Record, RecordKey, Status, Task, TaskId};
use russet_engine::{
    Change, Clock, Outcome, Store, StoreError, SystemClock, Transaction, Version, Versioned,
};

use crate::conformance::fixtures::queued;
use crate::embedded::medium::Medium;
use crate::embedded::{Embedded, EmbeddedOptions};
use crate::limits::{FREE_BYTES, TASK_FREE_BYTES};

const FIRST: PartitionId = PartitionId(0);

fn task(id: u128) -> Task {
    queued(TaskId::from_u128(id), SystemClock.now())
}

fn put(task: &Task, version: u64, before: Option<Versioned>) -> Transaction {
    Transaction {
        epoch: Epoch::default(),
        version: Version(version),
        changes: vec![Change {
            key: RecordKey::Task(task.id),
            before,
            after: Some(Record::Task(Arc::new(task.clone()))),
        }],
    }
}

async fn stored(store: &Embedded, task: &Task) -> Option<Versioned> {
    let found = store.get(FIRST, &[RecordKey::Task(task.id)]).await;
    found.expect("is read").remove(0)
}

#[tokio::test]
async fn a_disk_with_little_room_takes_no_new_task_and_all_that_becomes_of_those_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let mut medium = Medium::directory(folder.path()).expect("a directory");
    let seen = free.clone();
    medium.free = Box::new(move || Some(seen.load(Ordering::Relaxed)));
    let options = EmbeddedOptions::default();
    let store = Embedded::on(medium, options, Arc::new(SystemClock)).expect("opens");
    let (there, new) = (task(1), task(2));
    let committed = Ok(vec![Outcome::Committed]);
    assert_eq!(
        store.commit(FIRST, vec![put(&there, 1, None)]).await,
        committed
    );

    for room in [TASK_FREE_BYTES - 1, FREE_BYTES, 0] {
        free.store(room, Ordering::Relaxed);
        let refused = store.commit(FIRST, vec![put(&new, 2, None)]).await;
        let Err(StoreError::Full { why }) = refused else {
            panic!("expected a full disk with {room} bytes left, not {refused:?}")
        };
        assert!(why.ends_with("are needed for new tasks"), "{why}");
        let mut changed = there.clone();
        changed.status = Status::Running;
        let before = stored(&store, &there).await;
        let version = before.as_ref().expect("is there").version.0 + 10;
        let both = vec![put(&new, 3, None), put(&changed, version, before)];
        let part = store.commit(FIRST, both).await;
        assert_eq!(part, Ok(vec![Outcome::Conflict, Outcome::Committed]));
        let now = stored(&store, &there).await.expect("is there");
        assert_eq!(now.version, Version(version));
        let alone = vec![put(&changed, version + 1, Some(now))];
        assert_eq!(store.commit(FIRST, alone).await, committed);
        assert!(stored(&store, &new).await.is_none());
    }

    free.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(
        store.commit(FIRST, vec![put(&new, 4, None)]).await,
        committed
    );
}
