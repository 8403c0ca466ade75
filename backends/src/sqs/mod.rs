//! A queue in SQS, beside a store such as DynamoDB or Redis.
//!
//! # Queues
//! Each lane has an SQS queue of its own for each band of priority. Its name is
//! `PREFIX-QUEUE-HASH-BAND`: the prefix that is configured, as much of the queue's name as is
//! readable there, a hash of the lane. What lane it is stands in its tags, by which other nodes
//! find it. [`Sqs::create_queues`] makes them, or, with [`SqsOptions::create`], the first
//! message of a lane.
//!
//! There are three bands: what is more urgent than the default priority, the default itself, and
//! the rest. While the queue of a band is backed up, those behind it are asked only now and then
//! ([`SQS_TURNS`](crate::limits::SQS_TURNS)), so that they do not starve. Within a band SQS keeps
//! no order.
//!
//! # Messages
//! A message is the id of a task. SQS may deliver it twice, late, out of order, or, when the
//! queue is purged or the message has been there for a day, never: the rules refuse what should
//! not run, and the task's timer sends it again. No dead-letter queue of SQS is used: tasks fail
//! in the store. A message that is not one of ours is moved to the queue `PREFIX-undecodable`
//! and reported in the log; one of a newer version stays, for a node that can read it.
//!
//! # Receiving
//! Receivers of a node share its requests for messages. While one request waits at SQS, for up
//! to 20 seconds, receivers may come and go; what arrives goes to whoever waits then, or comes
//! next within a second, and is given back otherwise. So nothing is lost with a receiver that
//! goes away, a crowd of idle workers costs no more requests than one, and an idle lane costs
//! one request in 20 seconds. Receivers that wait together share the visibility of the first.
//!
//! # What it needs
//! [`ACTIONS`]; to create queues [`CREATE_ACTIONS`] as well.

mod aside;
mod desk;
mod directory;
mod found;
mod look;
mod message;
mod name;
mod open;
mod permissions;
mod place;
mod poll;
mod queue;
mod receive;
mod send;
mod settle;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_sqs::Client;
use russet_core::Lane;
use russet_engine::{Clock, QueueError};

use self::desk::Desk;
use self::directory::Directory;
pub use self::found::SqsFound;
use self::name::{Band, Prefix};
pub use self::permissions::{ACTIONS, CREATE_ACTIONS};
use crate::aws::{AwsOptions, Fault, OpenError, Pauses};

/// How SQS queues are found and used.
#[derive(Clone, Debug)]
pub struct SqsOptions {
    /// With what the names of all queues begin: 1 to
    /// [`SQS_PREFIX_LEN`](crate::limits::SQS_PREFIX_LEN) of `A-Z a-z 0-9 _ -`.
    pub prefix: String,
    /// Whether the first message of a lane creates its queue.
    pub create: bool,
    /// How AWS is reached.
    pub aws: AwsOptions,
}

impl Default for SqsOptions {
    fn default() -> Self {
        Self {
            prefix: "russet".to_owned(),
            create: false,
            aws: AwsOptions::default(),
        }
    }
}

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Sqs(Arc<Inner>);

struct Inner {
    client: Client,
    prefix: Prefix,
    create: bool,
    clock: Arc<dyn Clock>,
    pauses: Pauses,
    directory: Directory,
    desk: Mutex<Desk>,
    /// Held by whoever creates a queue.
    creating: tokio::sync::Mutex<()>,
    calls: AtomicU64,
    undecodable: AtomicU64,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqs")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl Sqs {
    /// Finds the queues with this prefix. Time and waiting go by `clock`.
    ///
    /// # Errors
    /// [`OpenError`]: a setting that cannot be used, no credentials, an endpoint that does not
    /// answer, a missing permission.
    pub async fn open(options: SqsOptions, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let inner = open::open(options, clock).await?;
        Ok(Arc::new(Self(Arc::new(inner))))
    }

    /// Creates the queues of these lanes, and the one for messages that cannot be decoded. Those
    /// that exist stay as they are.
    ///
    /// # Errors
    /// What SQS refused.
    pub async fn create_queues(&self, lanes: &[Lane]) -> Result<(), QueueError> {
        self.0.create_aside().await?;
        for lane in lanes {
            for band in Band::ALL {
                self.0.place(lane, band, true).await?;
            }
        }
        Ok(())
    }

    /// Looks at the queues that there are, tries what the credentials may do with them, and
    /// changes nothing.
    ///
    /// # Errors
    /// [`OpenError`], where nothing more can be found.
    pub async fn examine(
        options: SqsOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<SqsFound, OpenError> {
        open::examine(options, clock).await
    }

    /// How many requests were sent to SQS since this was opened.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// How many messages could not be decoded since this was opened.
    pub fn undecodable(&self) -> u64 {
        self.0.undecodable.load(Ordering::Relaxed)
    }
}

/// What a fault means for what was asked of the queue.
fn unavailable(fault: &Fault) -> QueueError {
    QueueError::Unavailable { why: said(fault) }
}

/// What the service said, with the remedy where there is one.
fn said(fault: &Fault) -> String {
    match fault.is_denied() {
        true => format!("SQS refuses the credentials or what they may do: {fault}"),
        false => format!("SQS: {fault}"),
    }
}

/// Whether the queue is gone.
fn is_gone(fault: &Fault) -> bool {
    fault.is("QueueDoesNotExist") || fault.is("NonExistentQueue")
}
