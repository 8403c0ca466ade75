use russet_engine::QueueView as EngineView;

use super::Api;
use crate::wire::{ConfigureQueue, Problem, QueueConfigView, QueueView, QueuesReply, queue_name};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `GET /v1/queues`.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn queues(&self) -> Reply<QueuesReply> {
        let views = self.scheduler.queues().await?;
        let queues = views.into_iter().map(|view| self.queue_view(view));
        Ok(QueuesReply {
            queues: queues.collect(),
        })
    }

    /// `GET /v1/queues/{name}`; a queue that never held a task is empty.
    ///
    /// # Errors
    /// A name that cannot be.
    pub async fn queue(&self, name: &str) -> Reply<QueueView> {
        let view = self.scheduler.queue(&queue_name(name)?).await?;
        Ok(self.queue_view(view))
    }

    /// `PATCH /v1/queues/{name}`.
    ///
    /// # Errors
    /// A value that cannot be.
    pub async fn configure(&self, name: &str, change: ConfigureQueue) -> Reply<QueueConfigView> {
        let name = queue_name(name)?;
        let config = self.scheduler.configure(name, change.into()).await?;
        Ok(QueueConfigView::from(&config))
    }

    /// `POST /v1/queues/{name}/pause`: starts none of its tasks.
    ///
    /// # Errors
    /// A name that cannot be.
    pub async fn pause(&self, name: &str) -> Reply<QueueConfigView> {
        self.set_paused(name, true).await
    }

    /// `POST /v1/queues/{name}/resume`: starts its tasks again.
    ///
    /// # Errors
    /// A name that cannot be.
    pub async fn resume(&self, name: &str) -> Reply<QueueConfigView> {
        self.set_paused(name, false).await
    }

    async fn set_paused(&self, name: &str, paused: bool) -> Reply<QueueConfigView> {
        let change = ConfigureQueue {
            paused: Some(paused),
            ..ConfigureQueue::default()
        };
        self.configure(name, change).await
    }

    fn queue_view(&self, view: EngineView) -> QueueView {
        QueueView::new(view, self.scheduler.clock().now())
    }
}
