//! Connections: HTTP/1.1 with keep-alive, bounded in number, ended gracefully.

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::stopping::Stopping;
use super::{App, limits, router};

/// Serves until the application stops; then lets requests that have begun finish, and what was
/// granted to workers that are gone be given back, at most [`limits::DRAIN`]. Returns how many
/// connections were cut off.
pub(super) async fn serve(listener: TcpListener, app: &App) -> usize {
    let (http, router, stopping) = (http(), router(app.clone()), app.stopping.clone());
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
    // Every connection holds a receiver; the sender is closed when the last one ended.
    let (open, _) = watch::channel(());
    while let Some(stream) = accept(&listener, &room, &stopping).await {
        let (stream, place) = stream;
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let (stopping, open) = (stopping.clone(), open.subscribe());
        tokio::spawn(async move {
            let _held = (place, open);
            tokio::pin!(connection);
            let result = tokio::select! {
                result = connection.as_mut() => result,
                () = stopping.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = result {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    let ended = async {
        open.closed().await;
        app.seeks.closed().await;
    };
    let left = timeout(limits::DRAIN, ended).await;
    left.map_or(open.receiver_count(), |()| 0)
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .keep_alive(true)
        .pipeline_flush(true);
    http
}

/// The next connection, with its place; `None` when it is time to stop.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    stopping: &Stopping,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let next = async {
        let place = room.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    };
    let (stream, place) = tokio::select! {
        biased;
        () = stopping.wait() => return None,
        next = next => next?,
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection cannot send without delay");
    }
    Some((stream, place))
}
