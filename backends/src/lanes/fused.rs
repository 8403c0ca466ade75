/// Implements [`russet_engine::Queue`] for a store that is its own queue: its field path to
/// the [`crate::lanes::Lanes`] that its commits announce ready tasks in.
macro_rules! fused_queue {
    ($store:ty, $($lanes:ident).+) => {
        #[async_trait::async_trait]
        impl russet_engine::Queue for $store {
            fn is_fused(&self) -> bool {
                true
            }

            /// Does nothing: what a commit makes ready is announced by that commit.
            async fn send(
                &self,
                _messages: Vec<russet_engine::Message>,
            ) -> Result<(), russet_engine::QueueError> {
                Ok(())
            }

            async fn receive(
                &self,
                from: &[russet_core::Lane],
                max: usize,
                visibility: std::time::Duration,
                wait: std::time::Duration,
            ) -> Result<Vec<russet_engine::Delivery>, russet_engine::QueueError> {
                Ok(self.$($lanes).+.receive(from, max, visibility, wait).await)
            }

            /// Does nothing: a delivery ends with the commit after which its task is no
            /// longer ready. Until then the task stays hidden while its visibility lasts.
            async fn delete(
                &self,
                _receipts: Vec<russet_engine::Receipt>,
            ) -> Result<(), russet_engine::QueueError> {
                Ok(())
            }

            async fn release(
                &self,
                receipts: Vec<russet_engine::Receipt>,
                delay: std::time::Duration,
            ) -> Result<(), russet_engine::QueueError> {
                self.$($lanes).+.release(&receipts, delay);
                Ok(())
            }

            async fn lanes(
                &self,
                queue: &russet_core::QueueName,
            ) -> Result<Vec<russet_core::Lane>, russet_engine::QueueError> {
                Ok(self.$($lanes).+.of_queue(queue))
            }

            fn lanes_epoch(&self) -> u64 {
                self.$($lanes).+.epoch()
            }

            async fn lanes_changed(&self, known: u64) {
                self.$($lanes).+.changed(known).await;
            }

            async fn depth(
                &self,
                lane: &russet_core::Lane,
            ) -> Result<russet_engine::Depth, russet_engine::QueueError> {
                Ok(self.$($lanes).+.depth(lane))
            }
        }
    };
}

pub(crate) use fused_queue;
