//! Text for people: aligned tables, relative times, counts.

mod plural;
mod table;
mod when;

pub use plural::counted;
pub use table::{Align, Table, on_one_line};
pub use when::{lasting, relative};
