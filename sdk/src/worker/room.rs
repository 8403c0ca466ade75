use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::board::{Amounts, Board};

/// The room that a task takes in its worker: one of the tasks that may run at once, and the
/// resources that it needs. It is free again when the last clone of this is dropped.
#[derive(Clone)]
pub struct Room {
    place: Arc<Place>,
    _used: watch::Receiver<()>,
}

/// What a room takes, also when nobody uses it any more.
pub(super) struct Place {
    board: Arc<Board>,
    needs: Amounts,
    users: watch::Sender<()>,
}

impl Room {
    pub(super) fn new(board: Arc<Board>, needs: Amounts) -> Self {
        board.enter(&needs);
        let (users, used) = watch::channel(());
        let place = Place {
            board,
            needs,
            users,
        };
        Self {
            place: Arc::new(place),
            _used: used,
        }
    }

    /// Uses the room no longer, and keeps it taken.
    pub(super) fn into_place(self) -> Arc<Place> {
        self.place
    }
}

impl Place {
    /// Waits until nobody uses the room any more.
    pub async fn unused(&self) {
        self.users.closed().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.leave(&self.needs);
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}
