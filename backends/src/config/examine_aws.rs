//! What a configuration would find on AWS.

use std::sync::Arc;

use russet_engine::Clock;

use super::{Config, ConfigError, Finding, QueueBackend, StoreBackend};
use crate::aws::{OpenError, Permissions};
use crate::dynamodb::Dynamo;
use crate::sqs::Sqs;

impl Config {
    /// What [`Self::examine`] says of AWS, as far as opening does not find it: what is configured
    /// there is not changed by whoever opens it, and works for others. Nothing where AWS is not
    /// used.
    pub async fn examine_aws(&self, clock: Arc<dyn Clock>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.store.backend == StoreBackend::Dynamodb {
            let found = self.examine_dynamodb(clock.clone()).await;
            findings.extend(found.unwrap_or_else(|error| vec![Finding::new("store", Err(error))]));
        }
        if self.queue.backend == QueueBackend::Sqs {
            let found = self.examine_sqs(clock).await;
            findings.extend(found.unwrap_or_else(|error| vec![Finding::new("queue", Err(error))]));
        }
        findings
    }

    pub(super) async fn examine_dynamodb(
        &self,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Finding>, ConfigError> {
        let options = self.dynamodb.options(&self.aws, self.store.partitions);
        let found = Dynamo::examine(&options, clock).await;
        let found = found.map_err(ConfigError::Dynamo)?;
        let table = format!("dynamodb: the table {:?}", self.dynamodb.name());
        let there = match found.partitions {
            Ok(partitions) => Some(Ok(format!("{table}, partitions: {partitions}"))),
            // It is said with all else that is not allowed.
            Err(OpenError::Denied { .. }) => None,
            Err(error) => Some(Err(ConfigError::Dynamo(error))),
        };
        let there = there.map(|there| Finding::new("store", there));
        let permissions = permitted("store", &table, found.permissions);
        Ok(there.into_iter().chain(permissions).collect())
    }

    pub(super) async fn examine_sqs(
        &self,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Finding>, ConfigError> {
        let found = Sqs::examine(self.sqs.options(&self.aws), clock).await;
        let found = found.map_err(ConfigError::Sqs)?;
        let there = found.queues.map(|queues| self.there(queues));
        let wrong = found.wrong.into_iter();
        let wrong = wrong.map(|detail| Finding::wrong("queue", detail));
        let doubtful = found.doubtful.into_iter();
        let doubtful = doubtful.map(|detail| Finding::warning("queue", detail));
        let permissions = permitted("queue", "sqs", found.permissions);
        let findings = there.into_iter().chain(permissions);
        Ok(findings.chain(wrong).chain(doubtful).collect())
    }

    /// What is to be said of how many queues there are.
    fn there(&self, queues: usize) -> Finding {
        let prefix = self.sqs.name();
        let more = match self.sqs.create {
            true => "others are made with their first task",
            false => "`russet config create --queue NAME` makes others",
        };
        match queues {
            0 if !self.sqs.create => Finding::warning(
                "queue",
                format!(
                    "sqs: no queue {prefix}-* is there, and no task starts before its queue is: \
                     `russet config create --queue NAME` makes them"
                ),
            ),
            _ => {
                let there = format!("sqs: {queues} queues {prefix}-* are there; {more}");
                Finding::new("queue", Ok(there))
            }
        }
    }
}

/// What is to be said of permissions, if anything is.
fn permitted(
    table: &'static str,
    of: &str,
    permissions: Permissions,
) -> impl Iterator<Item = Finding> {
    let Permissions { denied, untried } = permissions;
    let denied = denied.map(|said| Finding::wrong(table, format!("{of}: {said}")));
    let untried = untried.map(|said| Finding::warning(table, format!("{of}: {said}")));
    denied.into_iter().chain(untried)
}
