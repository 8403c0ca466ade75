//! What there is of queues, and what can be wrong with those that somebody else has made or
//! changed.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::stream::{self, StreamExt};
use russet_core::Lane;

use super::permissions::GET_ATTRIBUTES;
use super::{Inner, is_gone};
use crate::aws::{Fault, Permissions, Trials};
use crate::limits::{SQS_BATCHES_AT_ONCE, SQS_RETENTION, SQS_TRIES};

const DELAY: QueueAttributeName = QueueAttributeName::DelaySeconds;
const REDRIVE: QueueAttributeName = QueueAttributeName::RedrivePolicy;
const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
const RETENTION: QueueAttributeName = QueueAttributeName::MessageRetentionPeriod;

/// What there is of queues with a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqsFound {
    /// How many queues of lanes there are; `None` when they may not be listed.
    pub queues: Option<usize>,
    /// Attributes with which a queue cannot be used, each with the remedy.
    pub wrong: Vec<String>,
    /// Attributes that are probably not what is wanted, each with the remedy.
    pub doubtful: Vec<String>,
    /// What is not allowed.
    pub permissions: Permissions,
}

/// A queue that is there.
pub(super) struct There {
    pub(super) name: Arc<str>,
    pub(super) url: String,
    /// What it is for, where its tags could be read.
    pub(super) lane: Option<Lane>,
    /// Whether no message can be received from it now, as far as is known.
    pub(super) is_empty: bool,
}

impl Inner {
    /// Looks at all queues, and tries what is needed of them.
    pub(super) async fn examine(&self) -> Result<SqsFound, Fault> {
        let mut found = SqsFound::default();
        let mut trials = Trials::new(format!("{}*", self.prefix.listed()));
        let listed = self.list(&mut trials).await?;
        let is_listed = listed.is_some();
        let read: Vec<_> = stream::iter(listed.into_iter().flatten())
            .map(async |queue| (self.attributes(&queue.url).await, queue))
            .buffered(SQS_BATCHES_AT_ONCE)
            .collect()
            .await;
        let mut there = Vec::new();
        for (attributes, mut queue) in read {
            trials.note(GET_ATTRIBUTES, &queue.name, &attributes);
            match attributes {
                Ok(None) => continue,
                Ok(Some(attributes)) => {
                    let waiting = attributes.get(&VISIBLE).map(String::as_str);
                    queue.is_empty = waiting == Some("0");
                    found.judge(&queue.name, &attributes);
                }
                Err(_) => {}
            }
            there.push(queue);
        }
        found.queues = is_listed.then_some(there.len());
        self.try_on_queues(&there, &mut trials).await;
        found.permissions = trials.found();
        Ok(found)
    }

    /// The attributes of a queue, if it exists.
    async fn attributes(
        &self,
        url: &str,
    ) -> Result<Option<HashMap<QueueAttributeName, String>>, Fault> {
        let ask = || {
            self.called();
            let request = self.client.get_queue_attributes().queue_url(url);
            let names = vec![DELAY, REDRIVE, RETENTION, VISIBLE];
            request.set_attribute_names(Some(names)).send()
        };
        match self.pauses.again(SQS_TRIES, ask).await {
            Ok(found) => Ok(Some(found.attributes.unwrap_or_default())),
            Err(fault) if is_gone(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

impl SqsFound {
    fn judge(&mut self, name: &str, attributes: &HashMap<QueueAttributeName, String>) {
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
