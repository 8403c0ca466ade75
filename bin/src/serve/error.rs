use std::io;
use std::net::SocketAddr;

use russet_engine::EngineError;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is open to other machines, and there are no tokens.
    #[error(
        "listen = {listen} can be reached from other machines, and there are no tokens: \
         set RUSSET_TOKENS or tokens = [\"…\"] under [server], or listen on 127.0.0.1"
    )]
    Open {
        /// The address.
        listen: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {listen}: {why}; choose another address with --listen or [server] listen, port 0 for any free one"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        why: io::Error,
    },
    /// The scheduler is no longer whole.
    #[error("{}", EngineError::Broken)]
    Broken,
}

impl ServeError {
    /// Whether the settings are at fault, and not the system.
    pub const fn is_bad_input(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}
