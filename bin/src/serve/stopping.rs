//! The one signal that everything in the server stops by.

use tokio::sync::watch;

/// Gives the signal.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// Hears the signal.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

/// A signal and its listener.
pub fn channel() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    /// Tells everybody to stop.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Whether the signal was given.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the signal.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // Without a sender nobody is left to go on for.
        let _ = receiver.wait_for(|stop| *stop).await;
    }
}
