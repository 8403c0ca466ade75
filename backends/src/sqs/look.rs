//! Finding queues that others have made.

use super::name::{self, Band};
use super::{Inner, is_gone};
use crate::aws::Fault;
use crate::limits::{SQS_QUEUES, SQS_TRIES};

/// Most queues in one reply.
const PAGE: i32 = 1_000;

impl Inner {
    /// Learns of all queues with the prefix.
    pub(super) async fn look(&self) -> Result<(), Fault> {
        let mut token: Option<String> = None;
        loop {
            let ask = || {
                self.called();
                let request = self.client.list_queues().max_results(PAGE);
                let request = request.queue_name_prefix(self.prefix.listed());
                request.set_next_token(token.clone()).send()
            };
            let listed = self.pauses.again(SQS_TRIES, ask).await?;
            for url in listed.queue_urls() {
                let name = url.rsplit('/').next().unwrap_or_default();
                if name != self.prefix.aside() && self.directory.is_new(name) {
                    self.meet(name, url).await?;
                }
            }
            token = listed.next_token;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads which lane a queue is, if it is one of ours.
    async fn meet(&self, name: &str, url: &str) -> Result<(), Fault> {
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
        match lane {
            Some(_) if !self.directory.has_room() => {
                tracing::error!(name, most = SQS_QUEUES, "an SQS queue is one too many");
                self.directory.learn_stranger(name.to_owned());
            }
            Some((lane, band)) => {
                let (name, url) = (name.to_owned(), url.to_owned());
                drop(self.directory.learn(name, url, lane, band));
            }
            None => {
                tracing::warn!(name, "an SQS queue with our prefix is none of ours");
                self.directory.learn_stranger(name.to_owned());
            }
        }
        Ok(())
    }
}
