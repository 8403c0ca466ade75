//! Messages that are none of ours, or not yet.

use russet_engine::QueueError;

use super::directory::Place;
use super::message::Handle;
use super::{Inner, unavailable};
use crate::aws::Fault;
use crate::limits::{AWS_MESSAGE_BYTES, SQS_NEWER_AGAIN, SQS_SET_ASIDE_AGAIN, SQS_TRIES};

impl Inner {
    /// Makes the queue for messages that cannot be decoded.
    pub(super) async fn create_aside(&self) -> Result<(), QueueError> {
        let name = self.prefix.aside();
        let found = self.url_of(&name).await.map_err(|f| unavailable(&f))?;
        if found.is_none() {
            let made = self.make(&name, None).await;
            made.map_err(|fault| unavailable(&fault))?;
        }
        Ok(())
    }

    /// Moves a message to the queue for those that cannot be decoded; when that cannot be done,
    /// hides it for a long time. Never is it delivered again at once.
    pub(super) async fn set_aside(&self, place: &Place, body: &str, handle: String) {
        let start: String = body.chars().take(AWS_MESSAGE_BYTES).collect();
        let (queue, aside) = (&*place.name, self.prefix.aside());
        tracing::error!(
            queue,
            aside,
            start,
            "a message is none of ours: it is set aside"
        );
        let receipt = Handle {
            queue: queue.to_owned(),
            handle,
        };
        let receipt = vec![receipt.receipt()];
        let settled = match self.move_aside(body).await {
            Ok(()) => self.delete(receipt).await,
            Err(fault) => {
                tracing::error!(%fault, aside, "it could not be set aside: it is hidden for now");
                self.release(receipt, SQS_SET_ASIDE_AGAIN).await
            }
        };
        if let Err(error) = settled {
            tracing::error!(%error, queue, "it may be delivered again");
        }
    }

    /// Hides a message of a newer version for a while: whoever can read it may take it then.
    pub(super) async fn put_off(&self, place: &Place, handle: String) {
        let queue = &*place.name;
        tracing::error!(
            queue,
            "a message was written by a newer version, and waits for a node that can read it: \
             upgrade russet here"
        );
        let handle = Handle {
            queue: queue.to_owned(),
            handle,
        };
        let released = self.release(vec![handle.receipt()], SQS_NEWER_AGAIN).await;
        if let Err(error) = released {
            tracing::error!(%error, queue, "it is delivered again when its visibility is over");
        }
    }

    async fn move_aside(&self, body: &str) -> Result<(), Fault> {
        let name = self.prefix.aside();
        let url = match self.url_of(&name).await? {
            Some(url) => url,
            None if self.create => self.make(&name, None).await?,
            None => {
                let why = "the queue does not exist: make it with `russet config create`";
                return Err(Fault::Unsent(why.to_owned()));
            }
        };
        let ask = || {
            self.called();
            let request = self.client.send_message().queue_url(&url);
            request.message_body(body).send()
        };
        self.pauses.again(SQS_TRIES, ask).await.map(drop)
    }
}
