//! Text for people: aligned tables, relative times.

mod table;
mod when;

pub use table::{Align, Table, on_one_line};
pub use when::{lasting, relative};
