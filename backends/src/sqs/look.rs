//! Finding queues that others have made.

use super::name::{self, Band};
use super::{Inner, is_gone};
use crate::aws::Fault;
use crate::limits::{SQS_QUEUES, SQS_TRIES};

/// Most queues in one reply.
const PAGE: i32 = 1_000;

impl Inner {
    /// Learns of all queues with the prefix. One that cannot be read keeps none of the others.
    pub(super) async fn look(&self) -> Result<(), Fault> {
        let (mut token, mut failed) = (None, None);
        loop {
            let (urls, next) = self.listed(token).await?;
            for url in urls {
                let now = self.clock.now();
                let name = self.name_of(&url);
                let Some(name) = name.filter(|name| self.directory.is_to_meet(name, now)) else {
                    continue;
                };
                match self.meet(name, &url).await {
                    Ok(()) => {}
                    Err(fault) if fault.is_forbidden() => self.pass_over(name, &fault),
                    // Who does not answer here does not answer for the next one either.
                    Err(fault @ Fault::Lost(_)) => return Err(fault),
                    Err(fault) => failed = failed.or(Some(fault)),
                }
            }
            token = next;
            if token.is_none() {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Leaves a queue for a while whose tags may not be read.
    fn pass_over(&self, name: &str, fault: &Fault) {
        let now = self.clock.now();
        if self.directory.learn_stranger(name.to_owned(), now) {
            tracing::error!(
                name,
                %fault,
                "an SQS queue with our prefix is not used: sqs:ListQueueTags is not allowed on it. \
                 Grant it, or give the queue another name; it is looked at again from time to time"
            );
        }
    }

    /// A page of the queues with the prefix, and where the next one starts.
    pub(super) async fn listed(
        &self,
        token: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), Fault> {
        let ask = || {
            self.called();
            let request = self.client.list_queues().max_results(PAGE);
            let request = request.queue_name_prefix(self.prefix.listed());
            request.set_next_token(token.clone()).send()
        };
        let listed = self.pauses.again(SQS_TRIES, ask).await?;
        Ok((listed.queue_urls.unwrap_or_default(), listed.next_token))
    }

    /// What a queue is called, unless it is that for what cannot be decoded.
    pub(super) fn name_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        let name = url.rsplit('/').next()?;
        (name != self.prefix.aside()).then_some(name)
    }

    /// Reads which lane a queue is, if it is one of ours.
    pub(super) async fn meet(&self, name: &str, url: &str) -> Result<(), Fault> {
        let ask = || {
            self.called();
            self.client.list_queue_tags().queue_url(url).send()
        };
        let tags = match self.pauses.again(SQS_TRIES, ask).await {
            Ok(found) => found.tags.unwrap_or_default(),
            Err(fault) if is_gone(&fault) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        let lane = name::read_tags(&tags).and_then(|lane| {
            let is_own = |band: &Band| self.prefix.queue(&lane, *band) == name;
            let band = Band::ALL.into_iter().find(is_own)?;
            Some((lane, band))
        });
        let is_strange = || {
            let now = self.clock.now();
            self.directory.learn_stranger(name.to_owned(), now)
        };
        match lane {
            Some(_) if !self.directory.has_room() => {
                if is_strange() {
                    tracing::error!(name, most = SQS_QUEUES, "an SQS queue is one too many");
                }
            }
            Some((lane, band)) => {
                let (name, url) = (name.to_owned(), url.to_owned());
                drop(self.directory.learn(name, url, lane, band));
            }
            None => {
                if is_strange() {
                    tracing::warn!(
                        name,
                        "an SQS queue with our prefix is none of ours: its tags name no lane that \
                         is called so. It is looked at again from time to time"
                    );
                }
            }
        }
        Ok(())
    }
}
