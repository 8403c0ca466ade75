//! What a configuration would find, without changing anything.

use std::path::Path;
use std::sync::Arc;

use russet_engine::{Clock, Store};
use serde::Serialize;

use super::{
    AwsTable, Config, ConfigError, DATA_DIR, DynamoTable, QueueBackend, RedisTable, SqsTable,
    StoreBackend,
};
use crate::limits::DISK_LOW_BYTES;
use crate::migrate;
use crate::redis::{self, RedisFound};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The table of the configuration: `store` or `queue`.
    pub table: &'static str,
    /// Whether it can be used as it is.
    pub ok: bool,
    /// Whether it is probably not what is wanted.
    pub warning: bool,
    /// What is there; or what is wrong, with the setting and the remedy.
    pub detail: String,
}

impl Finding {
    pub(super) fn wrong(table: &'static str, detail: String) -> Self {
        Self {
            table,
            ok: false,
            warning: false,
            detail,
        }
    }

    pub(super) fn new(table: &'static str, found: Result<String, ConfigError>) -> Self {
        Self {
            table,
            ok: found.is_ok(),
            warning: false,
            detail: found.unwrap_or_else(|error| error.to_string()),
        }
    }

    pub(super) fn warning(table: &'static str, detail: String) -> Self {
        Self {
            warning: true,
            ..Self::new(table, Ok(detail))
        }
    }
}

impl Config {
    /// Looks at the store and the queue as [`Self::open`] would find them, and makes nothing.
    pub async fn examine(&self, clock: Arc<dyn Clock>) -> Vec<Finding> {
        if let Err(error) = self.check() {
            return vec![Finding::new("store", Err(error))];
        }
        let store = |found| vec![Finding::new("store", found)];
        let stores = match self.store.backend {
            StoreBackend::Memory => store(Ok("memory: nothing survives the process".to_owned())),
            StoreBackend::Embedded => match self.examine_embedded(clock.clone()).await {
                Ok(finding) => vec![finding],
                Err(error) => store(Err(error)),
            },
            StoreBackend::Redis => match self.examine_redis(clock.clone()).await {
                Ok(findings) => findings,
                Err(error) => store(Err(error)),
            },
            StoreBackend::Dynamodb => Vec::new(),
        };
        let queue = |found| vec![Finding::new("queue", found)];
        let queues = match self.queue.backend {
            QueueBackend::Store => queue(Ok(
                "the store announces its ready tasks by itself".to_owned()
            )),
            QueueBackend::Memory => queue(Ok(
                "memory: only this process hears of ready tasks at once".to_owned(),
            )),
            QueueBackend::Sqs => Vec::new(),
        };
        let of_aws = self.examine_aws(clock).await;
        let unused = self.unused().into_iter();
        let unused = unused.map(|(table, why)| Finding::warning(table, why));
        let own = stores.into_iter().chain(of_aws).chain(queues);
        own.chain(unused).collect()
    }

    /// Tables that say something which is not used, with what and why.
    pub fn unused(&self) -> Vec<(&'static str, String)> {
        let tables = [
            ("redis", self.redis != RedisTable::default()),
            ("aws", self.aws != AwsTable::default()),
            ("dynamodb", self.dynamodb != DynamoTable::default()),
            ("sqs", self.sqs != SqsTable::default()),
        ];
        let unused = tables
            .into_iter()
            .filter(|(table, says)| *says && !self.uses(table));
        let why = |table| match table {
            "aws" => "not used: neither the store nor the queue is one of AWS".to_owned(),
            "sqs" => "not used: [queue] backend is not \"sqs\"".to_owned(),
            store => format!("not used: [store] backend is not {store:?}"),
        };
        let unused = unused.map(|(table, _)| (table, why(table)));
        let of_embedded = [
            ("data_dir", self.store.data_dir.is_some()),
            ("cache_mb", self.store.cache_mb.is_some()),
        ];
        let is_other = self.store.backend != StoreBackend::Embedded;
        let settings = of_embedded
            .into_iter()
            .filter(|(_, says)| *says && is_other);
        let why = |(setting, _)| format!("{setting} is not used: backend is not \"embedded\"");
        let settings = settings.map(|setting| ("store", why(setting)));
        settings.chain(unused).collect()
    }

    /// Whether the store or the queue is described by this table.
    pub fn uses(&self, table: &str) -> bool {
        let (store, queue) = (self.store.backend, self.queue.backend);
        match table {
            "redis" => store == StoreBackend::Redis,
            "dynamodb" => store == StoreBackend::Dynamodb,
            "sqs" => queue == QueueBackend::Sqs,
            "aws" => self.uses("dynamodb") || self.uses("sqs"),
            _ => true,
        }
    }

    async fn examine_redis(&self, clock: Arc<dyn Clock>) -> Result<Vec<Finding>, ConfigError> {
        let found = redis::examine(self.redis.options(self.store.partitions), clock).await?;
        let partitions = match found.partitions {
            Some(partitions) => format!("partitions: {partitions}"),
            None => "the store will be made at the first start".to_owned(),
        };
        let address = self.redis.address();
        let product = found.product;
        let place = match found.primaries {
            1 => format!("{product} at {address}"),
            primaries => format!("{product}, a cluster of {primaries} at {address}"),
        };
        let detail = format!("{place}, {partitions}");
        let doubts = [
            (!found.is_durable, RedisFound::NOT_DURABLE),
            (found.is_full, RedisFound::IS_FULL),
        ];
        let doubts = doubts.into_iter().filter(|(is_so, _)| *is_so);
        let doubts: Vec<_> = doubts.map(|(_, said)| said).collect();
        let place = match doubts.is_empty() {
            true => Finding::new("store", Ok(detail)),
            false => Finding::warning("store", format!("{detail}; {}", doubts.join("; "))),
        };
        let unfinished = || Finding::new("store", Err(ConfigError::Unfinished));
        let unfinished = found.is_unfinished.then(unfinished);
        Ok([place].into_iter().chain(unfinished).collect())
    }

    async fn examine_embedded(&self, clock: Arc<dyn Clock>) -> Result<Finding, ConfigError> {
        let directory = self.store.data_dir.as_deref();
        let directory = directory.unwrap_or(Path::new(DATA_DIR));
        if directory.exists() {
            let embedded = self.store.open_embedded(clock)?;
            if let Ok(true) = migrate::is_unfinished(&*embedded).await {
                return Err(ConfigError::Unfinished);
            }
            let partitions = embedded.partitions();
            let data = directory.display();
            let detail = format!("embedded: data in {data}, partitions: {partitions}");
            return Ok(
                match embedded.free_bytes().filter(|free| *free < DISK_LOW_BYTES) {
                    None => Finding::new("store", Ok(detail)),
                    Some(free) => Finding::warning(
                        "store",
                        format!(
                            "{detail}; its disk has {} MiB of room left, and without any no new task \
                         is accepted: free some",
                            free >> 20
                        ),
                    ),
                },
            );
        }
        let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let parent = absolute.ancestors().find(|folder| folder.exists());
        let parent = parent.unwrap_or(Path::new("/"));
        match is_writable(parent) {
            true => {
                let directory = directory.display();
                let detail = format!("embedded: {directory} will be made at the first start");
                Ok(Finding::new("store", Ok(detail)))
            }
            false => Err(ConfigError::Directory {
                directory: directory.to_owned(),
                parent: parent.to_owned(),
            }),
        }
    }
}

/// Whether a file can be made there; none is left.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".russet-{}", std::process::id()));
    let made = std::fs::File::create_new(&probe).is_ok();
    if made {
        // It is empty and ours; if it cannot be removed nothing is lost.
        let _ = std::fs::remove_file(probe);
    }
    made
}
