//! The connection on which nodes hear of arrivals.

use std::sync::Arc;

use redis::{PushInfo, PushKind, Value};
use tokio::sync::{mpsc, watch};

use super::call::CallError;
use super::core::Core;
use super::dialer::Dialer;
use super::keys::read_arrival;
use crate::limits::{REDIS_BACKOFF, REDIS_BACKOFF_MAX, REDIS_LANES, REDIS_SILENCE};

/// Listens until the backend is closed. `heard` is set when it listens for the first time. In a
/// cluster any node tells of all arrivals.
pub(crate) async fn listen(core: Arc<Core>, heard: watch::Sender<bool>) {
    let mut pause = REDIS_BACKOFF;
    loop {
        if let Some(node) = core.links.servers().first() {
            match subscribed(&core, &node.dialer, &heard).await {
                Ok(()) => pause = REDIS_BACKOFF,
                Err(error) => tracing::debug!(%error, "arrivals are not heard"),
            }
        }
        core.links.doubt();
        core.clock.sleep(pause).await;
        pause = REDIS_BACKOFF_MAX.min(pause * 2);
    }
}

/// Listens on one connection until it is lost, which is no error once it has worked.
async fn subscribed(
    core: &Core,
    dialer: &Dialer,
    heard: &watch::Sender<bool>,
) -> Result<(), CallError> {
    let (sender, mut pushes) = mpsc::unbounded_channel();
    let push = Box::new(move |push: PushInfo| sender.send(push).map_err(|_| ()));
    let (mut connection, _running, _) = dialer.login(Some(push)).await?;
    let channel = core.names.channel();
    dialer
        .bounded(connection.subscribe(channel.as_slice()))
        .await?;
    // What came before is not told of any more.
    core.read_lanes().await?;
    core.groups.look_everywhere();
    heard.send_replace(true);
    loop {
        let push = tokio::select! {
            biased;
            push = pushes.recv() => push,
            () = dialer.clock.sleep(REDIS_SILENCE) => {
                let ping = redis::cmd("PING");
                let answer = dialer.bounded(connection.send_packed_command(&ping)).await;
                // A node that was taken out of its cluster hears nothing any more.
                if answer.is_err() || !core.links.uses(dialer) {
                    return Ok(());
                }
                continue;
            }
        };
        match push {
            Some(push) if push.kind == PushKind::Message => hear(core, &push),
            Some(push) if push.kind != PushKind::Disconnection => {}
            _ => return Ok(()),
        }
    }
}

fn hear(core: &Core, push: &PushInfo) {
    if let Some(Value::BulkString(message)) = push.data.last()
        && let Some((partition, lane)) = read_arrival(message)
    {
        core.groups.arrived(partition, &lane);
        core.lanes.learn(lane);
    }
}

/// Reads now and then which lanes there are, in case that nobody told of one.
pub(crate) async fn read_lanes(core: Arc<Core>) {
    loop {
        core.clock.sleep(REDIS_LANES).await;
        if let Err(error) = core.read_lanes().await {
            tracing::debug!(%error, "the lanes could not be read");
        }
    }
}
