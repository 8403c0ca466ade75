//! Which store and which queue: chosen separately, in a file.
//!
//! ```toml
//! [store]
//! backend = "embedded"       # or "memory", "redis", "dynamodb"
//! data_dir = "russet-data"   # embedded: where the file is
//! partitions = 1             # fixed when the store is made
//! cache_mb = 128             # embedded: memory for pages of the file
//!
//! [queue]
//! backend = "store"          # the store is the queue; or "memory", "sqs"
//! ```
//!
//! `[redis]`, `[aws]`, `[dynamodb]` and `[sqs]` say where these are: [`RedisTable`], [`AwsTable`],
//! [`DynamoTable`] and [`SqsTable`].

mod aws;
mod error;
mod examine;
mod examine_aws;
mod mistake;
mod redis;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use russet_core::Lane;
use russet_core::limits::PARTITIONS_MAX;
use russet_engine::{Backend, Clock, Queue, Store};
use serde::{Deserialize, Serialize};

pub use self::aws::{AwsTable, DynamoTable, SqsTable};
pub use self::error::ConfigError;
pub use self::examine::Finding;
pub use self::mistake::mistake;
pub use self::redis::{REDIS_URL, RedisTable};
pub use self::tables::{QueueBackend, QueueConfig, StoreBackend, StoreConfig};
use crate::dynamodb::Dynamo;
use crate::limits::{CACHE_MB_MAX, PAGE_CACHE_BYTES};
use crate::memory::{Memory, MemoryQueue};
use crate::migrate;
use crate::redis::Redis;
use crate::sqs::Sqs;

/// Where an embedded store is, unless configured: below the working directory.
pub const DATA_DIR: &str = "russet-data";

/// The store and the queue. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[store]`
    pub store: StoreConfig,
    /// `[queue]`
    pub queue: QueueConfig,
    /// `[redis]`
    pub redis: RedisTable,
    /// `[aws]`
    pub aws: AwsTable,
    /// `[dynamodb]`
    pub dynamodb: DynamoTable,
    /// `[sqs]`
    pub sqs: SqsTable,
}

impl Config {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`ConfigError::Text`], which names the line and what could stand there;
    /// [`ConfigError::Range`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Text(mistake(&error, Some(text))))?;
        config.check()?;
        Ok(config)
    }

    /// Opens the store and the queue. This blocks while an embedded store reads its records.
    ///
    /// # Errors
    /// [`ConfigError`], which names the setting and the remedy.
    pub async fn open(&self, clock: Arc<dyn Clock>) -> Result<Backend, ConfigError> {
        let backend = self.open_for_copy(clock).await?;
        // A store that cannot be read now says what is the matter with every other call.
        match migrate::is_unfinished(&*backend.store).await {
            Ok(true) => Err(ConfigError::Unfinished),
            _ => Ok(backend),
        }
    }

    /// As [`Self::open`], also of a store that another one is being copied into.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_for_copy(&self, clock: Arc<dyn Clock>) -> Result<Backend, ConfigError> {
        self.check()?;
        let partitions = self.store.partitions;
        let (store, own): (Arc<dyn Store>, Option<Arc<dyn Queue>>) = match self.store.backend {
            StoreBackend::Memory => {
                let memory = Memory::new(partitions.unwrap_or(1), clock.clone());
                (memory.clone(), Some(memory))
            }
            StoreBackend::Embedded => {
                let embedded = self.store.open_embedded(clock.clone())?;
                (embedded.clone(), Some(embedded))
            }
            StoreBackend::Redis => {
                let options = self.redis.options(partitions);
                let redis = Redis::open(options, clock.clone()).await?;
                (redis.clone(), Some(redis))
            }
            StoreBackend::Dynamodb => {
                let options = self.dynamodb.options(&self.aws, partitions);
                let opened = Dynamo::open(options, clock.clone()).await;
                (opened.map_err(ConfigError::Dynamo)?, None)
            }
        };
        let queue = match self.queue.backend {
            QueueBackend::Store => own.ok_or(ConfigError::NoQueue)?,
            QueueBackend::Memory => MemoryQueue::new(clock),
            QueueBackend::Sqs => self.open_sqs(clock).await?,
        };
        Ok(Backend { store, queue })
    }

    async fn open_sqs(&self, clock: Arc<dyn Clock>) -> Result<Arc<Sqs>, ConfigError> {
        let opened = Sqs::open(self.sqs.options(&self.aws), clock).await;
        opened.map_err(ConfigError::Sqs)
    }

    /// Creates what is not made by using it: the DynamoDB table, and the SQS queues of these
    /// lanes. What is there stays. Says what is there now.
    ///
    /// # Errors
    /// [`ConfigError`], which names the setting and the remedy.
    pub async fn create(
        &self,
        lanes: &[Lane],
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<String>, ConfigError> {
        self.check()?;
        let mut created = Vec::new();
        if self.store.backend == StoreBackend::Dynamodb {
            let options = self.dynamodb.options(&self.aws, self.store.partitions);
            let table = Dynamo::create_table(&options, clock.clone()).await;
            table.map_err(ConfigError::Dynamo)?;
            created.push(format!("the table {:?}", self.dynamodb.name()));
        }
        if self.queue.backend == QueueBackend::Sqs {
            let sqs = self.open_sqs(clock).await?;
            sqs.create_queues(lanes).await?;
            let names = lanes.iter().map(|lane| format!("each SQS queue of {lane}"));
            created.extend(names);
        }
        match created.is_empty() {
            true => Err(ConfigError::NothingToCreate),
            false => Ok(created),
        }
    }

    /// With the defaults of what is used, where nothing is said. How many partitions there are
    /// the store says.
    pub fn settled(&self) -> Self {
        let mut settled = self.clone();
        match self.store.backend {
            StoreBackend::Memory => {}
            StoreBackend::Embedded => {
                settled
                    .store
                    .data_dir
                    .get_or_insert_with(|| DATA_DIR.into());
                settled.store.cache_mb.get_or_insert(PAGE_CACHE_BYTES >> 20);
            }
            StoreBackend::Redis => settled.redis = self.redis.settled(),
            StoreBackend::Dynamodb => settled.dynamodb.table = Some(self.dynamodb.name()),
        }
        if self.queue.backend == QueueBackend::Sqs {
            settled.sqs.prefix = Some(self.sqs.name());
        }
        settled
    }

    /// Where tasks are kept, for people to read.
    pub fn describe(&self) -> String {
        let store = match self.store.backend {
            StoreBackend::Memory => "in memory: nothing survives this process".to_owned(),
            StoreBackend::Embedded => {
                let data_dir = self.store.data_dir.as_deref();
                format!(
                    "data in {}",
                    data_dir.unwrap_or(Path::new(DATA_DIR)).display()
                )
            }
            StoreBackend::Redis => format!("data in Redis at {}", self.redis.address()),
            StoreBackend::Dynamodb => {
                format!("data in the DynamoDB table {:?}", self.dynamodb.name())
            }
        };
        match self.queue.backend {
            QueueBackend::Store => store,
            QueueBackend::Memory => format!("{store}, ready tasks in memory"),
            QueueBackend::Sqs => format!("{store}, ready tasks in SQS"),
        }
    }

    /// Which store this is, by everything that names it, and without a password: no two stores
    /// have the same.
    pub fn place(&self) -> String {
        match self.store.backend {
            StoreBackend::Memory => "memory".to_owned(),
            StoreBackend::Embedded => {
                let data_dir = self.store.data_dir.as_deref();
                let data_dir = data_dir.unwrap_or(Path::new(DATA_DIR));
                let whole = data_dir.canonicalize();
                let whole = whole.or_else(|_| std::path::absolute(data_dir));
                let whole = whole.unwrap_or_else(|_| data_dir.to_owned());
                format!("embedded {}", whole.display())
            }
            StoreBackend::Redis => self.redis.place(),
            StoreBackend::Dynamodb => {
                let (table, aws) = (self.dynamodb.name(), &self.aws);
                let at = (&aws.region, &aws.endpoint_url, &aws.profile);
                format!("dynamodb {table:?} {at:?}")
            }
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let settings = [
            (
                "[store] partitions",
                self.store.partitions.map(usize::from),
                usize::from(PARTITIONS_MAX),
            ),
            ("[store] cache_mb", self.store.cache_mb, CACHE_MB_MAX),
        ];
        for (setting, value, most) in settings {
            if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                let range = format!("1 to {most}");
                return Err(ConfigError::Range {
                    setting,
                    value,
                    range,
                });
            }
        }
        let apart = self.queue.backend != QueueBackend::Store;
        match self.store.backend {
            StoreBackend::Dynamodb if !apart => Err(ConfigError::NoQueue),
            StoreBackend::Redis => self.redis.check(),
            _ => Ok(()),
        }
    }
}
