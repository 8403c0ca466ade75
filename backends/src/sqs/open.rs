use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::Client;
use russet_engine::Clock;

use super::directory::Directory;
use super::name::Prefix;
use super::{Inner, SqsFound, SqsOptions};
use crate::aws::{Fault, OpenError, connect};
use crate::limits::SQS_TIMEOUT;

/// Finds the queues that there are.
pub(super) async fn open(options: SqsOptions, clock: Arc<dyn Clock>) -> Result<Inner, OpenError> {
    let Reached { inner, endpoint } = reach(options, clock).await?;
    inner.directory.is_time_to_look(inner.clock.now());
    let looked = inner.look().await;
    looked.map_err(|fault| unlisted(fault, &endpoint))?;
    Ok(inner)
}

/// Looks at the queues that there are, and changes nothing.
pub(super) async fn examine(
    options: SqsOptions,
    clock: Arc<dyn Clock>,
) -> Result<SqsFound, OpenError> {
    let Reached { inner, endpoint } = reach(options, clock).await?;
    let found = inner.examine().await;
    found.map_err(|fault| unlisted(fault, &endpoint))
}

/// SQS, of whose queues nothing is known, and what it is called in errors.
struct Reached {
    inner: Inner,
    endpoint: String,
}

fn unlisted(fault: Fault, endpoint: &str) -> OpenError {
    OpenError::of(fault, "sqs:ListQueues and sqs:ListQueueTags", endpoint)
}

async fn reach(options: SqsOptions, clock: Arc<dyn Clock>) -> Result<Reached, OpenError> {
    let prefix = Prefix::new(&options.prefix)?;
    let connection = connect(&options.aws, &clock, SQS_TIMEOUT).await?;
    let inner = Inner {
        client: Client::new(&connection.config),
        prefix,
        create: options.create,
        clock,
        pauses: connection.pauses,
        directory: Directory::new(),
        desk: Mutex::default(),
        creating: tokio::sync::Mutex::new(()),
        calls: AtomicU64::new(0),
        undecodable: AtomicU64::new(0),
    };
    let endpoint = connection.endpoint;
    Ok(Reached { inner, endpoint })
}
