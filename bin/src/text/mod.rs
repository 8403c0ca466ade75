//! Text for people: aligned tables, relative times, counts, lists, errors of many lines.

mod aside;
mod error;
mod list;
mod number;
mod spelling;
mod table;
mod when;

pub use aside::{aside, aside_text};
pub use error::{gist, indented};
pub use list::few;
pub use number::{attempt, counted, grouped};
pub use spelling::spelt_like;
pub use table::{Align, Table, on_one_line};
pub use when::{lasting, relative};
