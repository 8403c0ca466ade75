use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::Client;
use russet_engine::Clock;

use super::directory::Directory;
use super::name::Prefix;
use super::{Inner, SqsOptions};
use crate::aws::{OpenError, connect};
use crate::limits::SQS_TIMEOUT;

pub(super) async fn open(options: SqsOptions, clock: Arc<dyn Clock>) -> Result<Inner, OpenError> {
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
    inner.directory.is_time_to_look(inner.clock.now());
    match inner.look().await {
        Ok(()) => Ok(inner),
        Err(fault) => {
            let action = "sqs:ListQueues and sqs:ListQueueTags";
            Err(OpenError::of(fault, action, &connection.endpoint))
        }
    }
}
