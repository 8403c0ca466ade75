use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use russet_models::redis::resp::read_command;
use russet_models::redis::{Reply, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::select;
use tokio::time::sleep;

use super::server::{Instance, RedisServer};
use crate::history::{Actor, Effect};
use crate::world::wire::Incoming;

/// What a server says that is busy with something else.
const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or \
                    SHUTDOWN NOSAVE.";

/// What a server that was replaced says to those who wait for its replicas.
const NO_PRIMARY: &str = "ERR WAIT cannot be used with replica instances. Please also note that \
                          since Redis 4.0 if a replica is configured to be writable (which is not \
                          a good idea) writes to replicas are just local and are not propagated.";
/// What it says to those who were waiting.
const UNBLOCKED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                         (master -> replica?)";

/// A client of an instance.
struct Visit {
    instance: Arc<Instance>,
    session: Session,
    /// Its command before was `ASKING`.
    asking: bool,
    /// Who it is, and the server that misbehaves towards it; nobody for a look from outside.
    guest: Option<(RedisServer, Actor)>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.instance.redis().close(&self.session);
        self.instance.forget(self.session.id());
    }
}

/// Answers a client until it goes, or the instance is closed.
pub(super) async fn serve(
    server: RedisServer,
    instance: Arc<Instance>,
    Incoming { from, stream }: Incoming,
) -> io::Result<()> {
    let guest = Some((server, from));
    select! {
        biased;
        () = instance.closed() => Ok(()),
        ended = Visit::new(instance.clone(), guest).answer(stream) => ended,
    }
}

/// Answers a client with nothing between.
pub(super) async fn serve_directly(
    instance: Arc<Instance>,
    stream: DuplexStream,
) -> io::Result<()> {
    Visit::new(instance, None).answer(stream).await
}

impl Visit {
    fn new(instance: Arc<Instance>, guest: Option<(RedisServer, Actor)>) -> Self {
        let session = instance.redis().open();
        Self {
            instance,
            session,
            asking: false,
            guest,
        }
    }

    async fn answer(mut self, mut stream: DuplexStream) -> io::Result<()> {
        let mut heard = self.instance.listen(self.session.id());
        let mut arrived = BytesMut::new();
        loop {
            let mut replies = Vec::new();
            select! {
                biased;
                Some(message) = heard.recv() => {
                    message.write(self.session.protocol, &mut replies);
                }
                length = stream.read_buf(&mut arrived) => {
                    if length? == 0 {
                        return Ok(());
                    }
                    if let Some((server, _)) = &self.guest {
                        server.mood().delay().await;
                    }
                    while let Some(command) = read_command(&mut arrived).map_err(io::Error::other)? {
                        let reply = match command.as_slice() {
                            [word, _, patience] if word == b"WAIT" => {
                                stream.write_all(&std::mem::take(&mut replies)).await?;
                                self.wait(patience).await
                            }
                            _ => self.run(&command),
                        };
                        reply.write(self.session.protocol, &mut replies);
                    }
                }
            }
            stream.write_all(&replies).await?;
        }
    }

    /// How many replicas have what the client wrote: it waits for one as long as it says.
    async fn wait(&self, patience: &[u8]) -> Reply {
        let Some((server, from)) = &self.guest else {
            return Reply::Int(0);
        };
        if self.instance.is_retired() {
            return Reply::Error(NO_PRIMARY.to_owned());
        }
        let replicas = server.replicas(self.instance.number());
        if replicas > 0 {
            return Reply::Int(replicas.into());
        }
        let patience = std::str::from_utf8(patience).ok();
        let patience = patience.and_then(|millis| millis.parse().ok());
        let reply = select! {
            biased;
            () = self.instance.retired() => Reply::Error(UNBLOCKED.to_owned()),
            () = sleep(Duration::from_millis(patience.unwrap_or_default())) => Reply::Int(0),
        };
        let ledger = server.account().ledger();
        ledger.met(*from, Effect::Unreplicated);
        reply
    }

    /// Runs a command, and misbehaves as the plan says.
    fn run(&mut self, command: &[Vec<u8>]) -> Reply {
        let Some((server, from)) = self.guest.clone() else {
            return self.obey(command);
        };
        let (mood, account) = (server.mood(), server.account());
        if mood.refuses() {
            account.turned_away(from);
            return Reply::Error(BUSY.to_owned());
        }
        let reply = self.obey(command);
        account.refused(from, &reply);
        let is_ask = matches!(command, [word] if word == b"ASKING");
        let asking = std::mem::replace(&mut self.asking, is_ask);
        account.answered(from, command, asking, &reply);
        let written = self.instance.redis().written();
        if account.write(from, written) && mood.crashes_after_commit(from) {
            (mood.kill)(from);
        }
        reply
    }

    fn obey(&mut self, command: &[Vec<u8>]) -> Reply {
        let (reply, told, published) = {
            let mut redis = self.instance.redis();
            let reply = redis.run(&mut self.session, command);
            (reply, redis.told(), redis.published())
        };
        self.instance.tell(told);
        if let Some((server, _)) = &self.guest {
            server.spread(&self.instance, &published);
        }
        reply
    }
}
