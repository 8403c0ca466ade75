//! Real servers, real nodes and real workers that are killed, frozen and failed over under load,
//! and the promises, checked on what clients and workers saw of it.
//!
//! `cargo nextest run -p russet-cli --test chaos --no-capture` shows what was counted. `RUSSET_CHAOS_SEED`
//! chooses other moments.

/// A test of a scenario for each server; its time is divided among them.
macro_rules! on_each_server {
    ($name:ident: $scenario:ident) => {
        mod $name {
            use russet_servers::RedisVersion;

            use super::$scenario;

            #[test]
            fn redis_6() {
                $scenario(RedisVersion::Redis6);
            }

            #[test]
            fn redis_7() {
                $scenario(RedisVersion::Redis7);
            }

            #[test]
            fn valkey_9() {
                $scenario(RedisVersion::Valkey9);
            }
        }
    };
}

mod any_node;
mod cluster;
mod durable;
mod failover;
mod frozen;
mod history;
mod journal;
mod killed;
mod leader;
mod load;
mod random;
mod sentinel;
mod slots;
mod stage;
mod wait;
mod worker;
