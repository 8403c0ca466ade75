//! The server as a whole: from its address to its last connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use russet_engine::{EngineError, Scheduler};
use tokio::net::{TcpListener, TcpSocket};

use super::stopping::{Stop, channel};
use super::{App, Metrics, ServeError, Tokens, limits, net};

/// An address that a server has taken. Whoever connects is refused until a server listens there.
#[derive(Debug)]
pub struct Place {
    socket: TcpSocket,
    asked: SocketAddr,
    tokens: Tokens,
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    app: App,
    stop: Arc<Stop>,
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

impl Place {
    /// Takes an address, of which port 0 means any free one, for a server that lets these in.
    ///
    /// # Errors
    /// An address that is open to others without tokens, or that cannot be had.
    pub fn take(listen: SocketAddr, tokens: Tokens) -> Result<Self, ServeError> {
        check(listen, &tokens)?;
        let socket = bound(listen).map_err(|why| ServeError::Listen { listen, why })?;
        Ok(Self {
            socket,
            asked: listen,
            tokens,
        })
    }
}

/// A socket that has the address, and does not listen yet.
fn bound(listen: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of the server before, which are just ending, keep nobody from its address.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    Ok(socket)
}

impl Server {
    /// Listens. `metrics` must be among the scheduler's observers to count its events, and the
    /// store has so many partitions.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn listen(
        place: Place,
        partitions: u16,
        scheduler: Scheduler,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let Place {
            socket,
            asked: listen,
            tokens,
        } = place;
        let refused = |why| ServeError::Listen { listen, why };
        let listener = socket.listen(limits::BACKLOG).map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let (stop, stopping) = channel();
        Ok(Self {
            listener,
            local,
            app: App::new(scheduler, partitions, metrics, tokens, stopping),
            stop: Arc::new(stop),
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
    ///
    /// # Errors
    /// [`ServeError::Broken`], when it has stopped by itself.
    pub async fn run(self) -> Result<(), ServeError> {
        let scheduler = self.app.scheduler().clone();
        let watch = tokio::spawn(stop_when_broken(scheduler, self.stop));
        let cut = net::serve(self.listener, &self.app).await;
        if cut > 0 {
            tracing::warn!(
                connections = cut,
                "requests took too long to finish and were cut off"
            );
        }
        watch.abort();
        self.app.scheduler().stop().await;
        match self.app.scheduler().is_broken() {
            true => Err(ServeError::Broken),
            false => Ok(()),
        }
    }
}

/// Stops the server when its scheduler is no longer whole, so that whoever keeps it running starts
/// it anew.
async fn stop_when_broken(scheduler: Scheduler, stop: Arc<Stop>) {
    scheduler.broken().await;
    tracing::error!("stopping: {}", EngineError::Broken);
    stop.now();
}
