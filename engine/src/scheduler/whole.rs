//! Whether a node is whole. A broken invariant ends the part of the node that met it, and that
//! part answers nobody any more: whoever runs the node is told, so that it can be started anew.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Node, Scheduler};

/// Tells the node when the part of it that holds this panics.
struct Part(Arc<Node>);

impl Drop for Part {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.send_replace(true);
        }
    }
}

/// Starts a part of the node.
pub(super) fn spawn(
    node: &Arc<Node>,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let part = Part(node.clone());
    tokio::spawn(async move {
        let _part = part;
        work.await;
    })
}

impl Scheduler {
    /// Waits until a part of the node has met a broken invariant. What was acknowledged is in
    /// the store, and other nodes go on; this one must be started anew.
    pub async fn broken(&self) {
        let mut broken = self.node.broken.subscribe();
        // The node holds the sender for as long as this is waited for.
        let _ = broken.wait_for(|broken| *broken).await;
    }

    /// Whether a part of the node has met a broken invariant.
    pub fn is_broken(&self) -> bool {
        *self.node.broken.borrow()
    }
}
