//! `cargo sim`

fn main() {}
