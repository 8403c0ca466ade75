use std::fmt;
use std::sync::Arc;

use super::board::{Amounts, Board};

/// The room that a task takes in its worker: one of the tasks that may run at once, and the
/// resources that it needs. It is free again when the last clone of this is dropped.
#[derive(Clone)]
pub struct Room {
    _place: Arc<Place>,
}

struct Place {
    board: Arc<Board>,
    needs: Amounts,
}

impl Room {
    pub(super) fn new(board: Arc<Board>, needs: Amounts) -> Self {
        board.enter(&needs);
        let place = Arc::new(Place { board, needs });
        Self { _place: place }
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
