//! The SQS queue of a lane, found or made.

use std::sync::Arc;

use aws_sdk_sqs::types::QueueAttributeName;
use russet_core::Lane;
use russet_engine::QueueError;

use super::directory::Place;
use super::name::{Band, tags};
use super::{Inner, is_gone, unavailable};
use crate::aws::Fault;
use crate::limits::{SQS_QUEUES, SQS_RETENTION, SQS_TRIES};

/// The command that makes the queues of a lane.
fn command(lane: &Lane) -> String {
    let needs = lane.resources.iter();
    let needs = needs.map(|(name, amount)| format!(" --need {name}={amount}"));
    let needs: String = needs.collect();
    format!("russet config create --queue {}{needs}", lane.queue)
}

impl Inner {
    /// The queue of a lane, which is made when it is missing and `create` says so.
    pub(super) async fn place(
        &self,
        lane: &Lane,
        band: Band,
        create: bool,
    ) -> Result<Arc<Place>, QueueError> {
        let name = self.prefix.queue(lane, band);
        if let Some(place) = self.directory.find(&name) {
            return Ok(place);
        }
        let _creating = self.creating.lock().await;
        if let Some(place) = self.directory.find(&name) {
            return Ok(place);
        }
        if !self.directory.has_room() {
            let why = format!(
                "the lane {lane} would be one more than {SQS_QUEUES} SQS queues: let tasks differ \
                 less in their resource_requirements, or use fewer queues"
            );
            return Err(QueueError::Unavailable { why });
        }
        let found = self.url_of(&name).await.map_err(|f| unavailable(&f))?;
        let url = match found {
            Some(url) => url,
            None if create => {
                let tags = tags(lane);
                let made = self.make(&name, Some(tags)).await;
                made.map_err(|fault| unavailable(&fault))?
            }
            None => {
                let why = format!(
                    "there is no SQS queue {name} for the lane {lane}: make it with `{}`, or set \
                     create = true in [sqs]",
                    command(lane)
                );
                return Err(QueueError::Unavailable { why });
            }
        };
        Ok(self.directory.learn(name, url, lane.clone(), band))
    }

    /// Where a queue is, if it exists.
    pub(super) async fn url_of(&self, name: &str) -> Result<Option<String>, Fault> {
        let ask = || {
            self.called();
            self.client.get_queue_url().queue_name(name).send()
        };
        match self.pauses.again(SQS_TRIES, ask).await {
            Ok(found) => Ok(found.queue_url),
            Err(fault) if is_gone(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Makes a queue and returns where it is.
    pub(super) async fn make(
        &self,
        name: &str,
        tags: Option<std::collections::HashMap<String, String>>,
    ) -> Result<String, Fault> {
        let ask = || {
            self.called();
            let request = self.client.create_queue().queue_name(name);
            let seconds = SQS_RETENTION.as_secs().to_string();
            request
                .attributes(QueueAttributeName::MessageRetentionPeriod, seconds)
                .set_tags(tags.clone())
                .send()
        };
        let made = self.pauses.again(SQS_TRIES, ask).await?;
        let url = made.queue_url;
        url.ok_or_else(|| Fault::Lost(format!("{name} was made, and nobody said where")))
    }
}
