#[cfg(feature = "http")]
use super::http::{Call, encoded};
use super::{Client, Link};
use crate::Error;
#[cfg(feature = "http")]
use crate::wire::QueuesReply;
use crate::wire::{ConfigureQueue, QueueConfigView, QueueView};

impl Client {
    /// All queues that have tasks or were configured.
    ///
    /// # Errors
    /// A store or a server that cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueView>, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.queues().await?.queues),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let reply: QueuesReply = http.fetch(Call::get("/v1/queues")).await?;
                Ok(reply.queues)
            }
        }
    }

    /// A queue; one that never held a task is empty.
    ///
    /// # Errors
    /// A name that cannot be, or a server that cannot be reached.
    pub async fn queue(&self, name: &str) -> Result<QueueView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.queue(name).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/queues/{}", encoded(name));
                http.fetch(Call::get(path)).await
            }
        }
    }

    /// Changes how a queue treats its tasks; returns how it treats them now.
    ///
    /// # Errors
    /// A value that cannot be, or a server that cannot be reached.
    pub async fn configure(
        &self,
        name: &str,
        change: ConfigureQueue,
    ) -> Result<QueueConfigView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.configure(name, change).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/queues/{}", encoded(name));
                http.send(Call::patch(path).safe(), &change).await
            }
        }
    }

    /// Starts none of the queue's tasks until it is resumed.
    ///
    /// # Errors
    /// A name that cannot be, or a server that cannot be reached.
    pub async fn pause(&self, name: &str) -> Result<QueueConfigView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.pause(name).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/queues/{}/pause", encoded(name));
                http.fetch(Call::post(path).safe()).await
            }
        }
    }

    /// Starts the queue's tasks again.
    ///
    /// # Errors
    /// A name that cannot be, or a server that cannot be reached.
    pub async fn resume(&self, name: &str) -> Result<QueueConfigView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.resume(name).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/queues/{}/resume", encoded(name));
                http.fetch(Call::post(path).safe()).await
            }
        }
    }
}
