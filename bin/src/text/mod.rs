//! Text for people: aligned tables, relative times, counts, errors of many lines.

mod aside;
mod error;
mod number;
mod table;
mod when;

pub use aside::{aside, aside_text};
pub use error::{gist, indented};
pub use number::{attempt, counted, grouped};
pub use table::{Align, Table, on_one_line};
pub use when::{lasting, relative};
