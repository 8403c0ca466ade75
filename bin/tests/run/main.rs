//! `russet run` from the outside: the real binary on real files, killed and resumed.

mod examples;
mod failures;
mod files;
mod full_disk;
mod interrupted;
mod killed;
mod order;
mod refused;
mod resources;
mod retried;
mod support;
mod terminal;
mod too_large;
