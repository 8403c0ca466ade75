//! A store in one DynamoDB table. Ready tasks are announced in a queue beside it, such as SQS.
//!
//! # The table
//! An item is a record; its partition key is the record's own key, and there is no sort key. So
//! records of one partition of Russet are spread over all of the table, and no write waits for
//! the capacity of a hot key. Every access by key is a `GetItem`, a `BatchGetItem`, a
//! conditional `PutItem` or `DeleteItem`, or a `TransactWriteItems`; nothing is ever scanned.
//!
//! | attribute | what | in the item of |
//! |---|---|---|
//! | `k` | the key: partition, kind, id | all |
//! | `v` | the version, which conditions compare | records |
//! | `r` | version, checksum and record, as every store of bytes keeps them | records |
//! | `t`, `d` | part of the partition's timers, and when this one is due | what has a timer |
//! | `l`, `i` | part of its queue and status, and the task's id | tasks |
//! | `y` | when it became ready | queued tasks |
//! | `w` | the workflow | tasks of a workflow |
//!
//! Three sparse global indexes find what has no key: `timers` (`t`, `d`), `listings` (`l`, `i`,
//! with `y`) and `workflows` (`w`, `i`). The third holds only tasks of workflows, costs two write
//! units in the life of each, and spares their listings a walk through all tasks: a task's
//! workflow never changes, so no transition writes to it.
//!
//! # What is consistent
//! Records are read as they were written last. Indexes follow, mostly within some tens of
//! milliseconds: a timer may be seen late, or once more after it is gone (the rules refuse it),
//! and a listing or a counter may miss the very last commits. Each of them agrees with the
//! records once writing stops.
//!
//! # Counters
//! [`Stats`](russet_engine::Stats) are counted, by `Select=COUNT` over `listings`: exact, and
//! about one read unit for 120 tasks. A counter kept with every commit would turn each write of
//! one item into a transaction with a counter, at four times the units, and would be the
//! hottest item of the table; one kept beside the commit would be wrong after a crash. Counting
//! is on no hot path, and what was counted is good for [`DynamoOptions::stats_fresh`].
//!
//! # What it costs
//! Every change of a record is one write unit for each KiB of its item, twice that in a
//! transaction of several records. A change of its timer or its status is two more for each
//! index (the old entry goes, the new one comes), one when there was or will be none. A task of
//! 256 bytes that is submitted, announced in a queue, leased, completed and purged takes 19
//! write units: 5 for its item, 8 for its timers, 6 for its listings. `aws_cost`, among the
//! examples, shows them; [`Dynamo::usage`] tells what was consumed.
//!
//! A partition's timers are in four parts, each of which is looked at every second by the
//! partition's leader: two read units a second. A listing or a count without a filter asks for
//! each status of each queue, in up to eight parts: both cost more with every queue that ever had
//! a task.

mod create;
mod due;
mod fail;
mod found;
mod get;
mod item;
mod list;
mod open;
mod permissions;
mod query;
mod queues;
mod seen;
mod shape;
mod stats;
mod store;
mod usage;
mod write;

use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use russet_engine::Clock;

pub use self::found::DynamoFound;
pub use self::permissions::{ACTIONS, CREATE_ACTIONS};
use self::queues::Queues;
pub use self::seen::{KEY_ATTRIBUTE, RECORD_ATTRIBUTE, read_item};
use self::stats::Counted;
use self::usage::Meter;
pub use self::usage::Usage;
use crate::aws::{AwsOptions, OpenError, Pauses};
use crate::limits::DYNAMO_STATS_FRESH;
use crate::unreadable::Unreadable;

/// How a table is found and used.
#[derive(Clone, Debug)]
pub struct DynamoOptions {
    /// The table's name.
    pub table: String,
    /// How many partitions the table must have; `None`: what it has. A new table gets 1 unless
    /// given.
    pub partitions: Option<u16>,
    /// How long what was counted is good, from when the count ended.
    pub stats_fresh: Duration,
    /// How AWS is reached.
    pub aws: AwsOptions,
}

impl Default for DynamoOptions {
    fn default() -> Self {
        Self {
            table: "russet".to_owned(),
            partitions: None,
            stats_fresh: DYNAMO_STATS_FRESH,
            aws: AwsOptions::default(),
        }
    }
}

/// A store in a DynamoDB table.
#[derive(Debug)]
pub struct Dynamo {
    /// For what goes on without its callers.
    own: Weak<Self>,
    client: Client,
    table: String,
    partitions: u16,
    pauses: Pauses,
    clock: ByClock,
    meter: Meter,
    queues: Queues,
    counted: Counted,
    unreadable: Unreadable,
}

/// The engine's clock, which has nothing to show.
struct ByClock(Arc<dyn Clock>);

impl std::fmt::Debug for ByClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByClock")
    }
}

impl Dynamo {
    /// Opens a table that [`Dynamo::create_table`] has made. Time and pauses go by `clock`.
    ///
    /// # Errors
    /// [`OpenError`]: a setting that cannot be used, no credentials, an endpoint that does not
    /// answer, a missing permission, a table that is missing, has another shape, another number
    /// of partitions or a newer format.
    pub async fn open(
        options: DynamoOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let reached = open::reach(&options, &clock).await?;
        let partitions = open::enter(&reached, &options).await?;
        Ok(Arc::new_cyclic(|own| Self {
            own: own.clone(),
            client: reached.client,
            table: options.table,
            partitions,
            pauses: reached.pauses,
            clock: ByClock(clock),
            meter: Meter::default(),
            queues: Queues::default(),
            counted: Counted::new(options.stats_fresh),
            unreadable: Unreadable::default(),
        }))
    }

    /// Makes the table and its indexes, billed by request, and waits until they can be used;
    /// [`DYNAMO_CREATE_TIMEOUT`](crate::limits::DYNAMO_CREATE_TIMEOUT) is the longest wait.
    /// A table that is already there stays as it is, and what was begun is finished.
    ///
    /// # Errors
    /// [`OpenError`], as [`Dynamo::open`].
    pub async fn create_table(
        options: &DynamoOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(), OpenError> {
        let reached = open::reach(options, &clock).await?;
        create::create(&reached, options).await
    }

    /// Looks at a table as [`Dynamo::open`] would find it, tries what the credentials may do with
    /// it, and changes nothing.
    ///
    /// # Errors
    /// [`OpenError`], where nothing more can be found.
    pub async fn examine(
        options: &DynamoOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<DynamoFound, OpenError> {
        let reached = open::reach(options, &clock).await?;
        found::examine(&reached, options).await
    }

    /// What an entry of an index says; one that cannot be read is noted, and left out.
    fn entry<T>(&self, index: &str, entry: &item::Item, read: Option<T>) -> Option<T> {
        if read.is_none() {
            let key = item::bytes_of(entry, item::KEY).unwrap_or_default();
            let removal = "delete the item from the table";
            self.unreadable.note(index, key, removal);
        }
        read
    }

    /// What was consumed since this store was opened.
    pub fn usage(&self) -> Usage {
        self.meter.read()
    }
}
