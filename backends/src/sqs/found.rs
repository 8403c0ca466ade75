//! What can be wrong with queues that somebody else has made or changed.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::stream::{self, StreamExt};
use russet_engine::QueueError;

use super::directory::Place;
use super::{Inner, is_gone, unavailable};
use crate::limits::{SQS_BATCHES_AT_ONCE, SQS_RETENTION, SQS_TRIES};

const DELAY: QueueAttributeName = QueueAttributeName::DelaySeconds;
const REDRIVE: QueueAttributeName = QueueAttributeName::RedrivePolicy;
const RETENTION: QueueAttributeName = QueueAttributeName::MessageRetentionPeriod;

/// What there is of queues with a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqsFound {
    /// How many queues of lanes there are.
    pub queues: usize,
    /// Attributes with which a queue cannot be used, each with the remedy.
    pub wrong: Vec<String>,
    /// Attributes that are probably not what is wanted, each with the remedy.
    pub doubtful: Vec<String>,
}

impl Inner {
    /// Looks at the attributes of all queues that are known.
    pub(super) async fn examine(&self) -> Result<SqsFound, QueueError> {
        let places = self.directory.places();
        let read: Vec<_> = stream::iter(places)
            .map(async |place| (self.attributes(&place.url).await, place))
            .buffered(SQS_BATCHES_AT_ONCE)
            .collect()
            .await;
        let mut found = SqsFound::default();
        for (attributes, place) in read {
            if let Some(attributes) = attributes? {
                found.queues += 1;
                found.judge(&place, &attributes);
            }
        }
        Ok(found)
    }

    /// The attributes of a queue, if it exists.
    async fn attributes(
        &self,
        url: &str,
    ) -> Result<Option<HashMap<QueueAttributeName, String>>, QueueError> {
        let ask = || {
            self.called();
            let request = self.client.get_queue_attributes().queue_url(url);
            let names = vec![DELAY, REDRIVE, RETENTION];
            request.set_attribute_names(Some(names)).send()
        };
        match self.pauses.again(SQS_TRIES, ask).await {
            Ok(found) => Ok(Some(found.attributes.unwrap_or_default())),
            Err(fault) if is_gone(&fault) => Ok(None),
            Err(fault) => Err(unavailable(&fault)),
        }
    }
}

impl SqsFound {
    fn judge(&mut self, place: &Place, attributes: &HashMap<QueueAttributeName, String>) {
        let name = &place.name;
        let text = |attribute| attributes.get(attribute).map(String::as_str);
        let number = |attribute| text(attribute).and_then(|text| text.parse::<u64>().ok());
        if let Some(delay) = number(&DELAY).filter(|delay| *delay > 0) {
            self.wrong.push(format!(
                "sqs: {name} has DelaySeconds {delay}, so that each task waits as long before it \
                 runs: set DelaySeconds to 0"
            ));
        }
        if text(&REDRIVE).is_some_and(|policy| !policy.is_empty()) {
            self.wrong.push(format!(
                "sqs: {name} has a RedrivePolicy, by which SQS takes away tasks that were tried \
                 often, though they fail in the store: remove RedrivePolicy"
            ));
        }
        let day = SQS_RETENTION.as_secs();
        if let Some(kept) = number(&RETENTION).filter(|kept| *kept < day) {
            self.doubtful.push(format!(
                "sqs: {name} has MessageRetentionPeriod {kept}, and what SQS drops is announced \
                 again only after up to a day: set MessageRetentionPeriod to {day}"
            ));
        }
    }
}
