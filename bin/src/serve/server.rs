//! The server as a whole: from its settings to its last connection.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use russet_engine::Scheduler;
use tokio::net::TcpListener;

use super::stopping::{Stop, channel};
use super::{App, Metrics, ServeError, Stopping, Tokens, net, router};

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 means any free one.
    pub listen: SocketAddr,
    /// Who may come in.
    pub tokens: Tokens,
    /// How many partitions the store has.
    pub partitions: u16,
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    router: Router,
    scheduler: Scheduler,
    stop: Arc<Stop>,
    stopping: Stopping,
}

/// Whether a server may listen there.
///
/// # Errors
/// An address that is open to other machines, without tokens.
pub fn check(listen: SocketAddr, tokens: &Tokens) -> Result<(), ServeError> {
    if listen.ip().is_loopback() || !tokens.is_empty() {
        return Ok(());
    }
    Err(ServeError::Open { listen })
}

impl Server {
    /// Listens. `metrics` must be among the scheduler's observers to count its events.
    ///
    /// # Errors
    /// An address that is open to others without tokens, or that cannot be listened on.
    pub async fn bind(
        settings: Settings,
        scheduler: Scheduler,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let Settings {
            listen,
            tokens,
            partitions,
        } = settings;
        check(listen, &tokens)?;
        let refused = |why| ServeError::Listen { listen, why };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let (stop, stopping) = channel();
        let app = App::new(
            scheduler.clone(),
            partitions,
            metrics,
            tokens,
            stopping.clone(),
        );
        Ok(Self {
            listener,
            local,
            router: router(app),
            scheduler,
            stop: Arc::new(stop),
            stopping,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.local
    }

    /// What stops it.
    pub fn stop(&self) -> Arc<Stop> {
        self.stop.clone()
    }

    /// Serves until it is stopped: takes no more connections, answers waiting polls at once,
    /// lets other requests finish within a bound, and stops the scheduler.
    pub async fn run(self) {
        let cut = net::serve(self.listener, self.router, self.stopping).await;
        if cut > 0 {
            tracing::warn!(
                connections = cut,
                "requests took too long to finish and were cut off"
            );
        }
        self.scheduler.stop().await;
    }
}
