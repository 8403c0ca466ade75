//! Connections: bytes in both directions between two actors, in order and in pieces, until an
//! end closes, the connection breaks, or one direction is forgotten on the way.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::net::Net;
use crate::history::{Actor, FaultKind};

/// What is on its way in one direction at most, in bytes.
const WINDOW: usize = 64 * 1024;
/// What is carried at once, in bytes.
const PIECE: usize = 16 * 1024;
/// When a piece that did not get through is sent again.
const RESEND: Duration = Duration::from_millis(50);
/// A connection carries several pieces for each call, and a fault befalls all calls on it: so
/// much rarer are faults of pieces than those of messages.
const RARER: u64 = 10;

/// A connection that somebody made to an actor.
pub struct Incoming {
    /// Who connects.
    pub from: Actor,
    /// The actor's end.
    pub stream: DuplexStream,
}

/// One direction of a connection.
#[derive(Clone, Copy)]
struct Way {
    from: Actor,
    to: Actor,
    /// What is lost on it is a request, and not a reply.
    request: bool,
}

impl Net {
    /// Takes connections as `actor`, until what is returned is dropped.
    pub fn accept(&self, actor: Actor) -> mpsc::UnboundedReceiver<Incoming> {
        let (door, incoming) = mpsc::unbounded_channel();
        self.state().doors.insert(actor, door);
        incoming
    }

    /// Connects to `to`; waits for as long as nothing gets through.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn connect(&self, from: Actor, to: Actor) -> io::Result<DuplexStream> {
        let there = Way {
            from,
            to,
            request: true,
        };
        let back = Way {
            from: to,
            to: from,
            request: false,
        };
        self.cross(there).await;
        let door = self.state().doors.get(&to).cloned();
        let (own, near) = duplex(WINDOW);
        let (far, stream) = duplex(WINDOW);
        let entered = door.is_some_and(|door| door.send(Incoming { from, stream }).is_ok());
        if entered {
            self.carry_between(there, back, near, far);
        }
        self.cross(back).await;
        match entered {
            true => Ok(own),
            false => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn carry_between(&self, there: Way, back: Way, near: DuplexStream, far: DuplexStream) {
        let net = self.clone();
        self.carrier().spawn(async move {
            let (from_near, to_near) = split(near);
            let (from_far, to_far) = split(far);
            // When one end is gone or the connection breaks, both ends are closed.
            tokio::select! {
                biased;
                _ = net.pump(there, from_near, to_far) => {}
                _ = net.pump(back, from_far, to_near) => {}
            }
        });
    }

    /// Carries pieces until the connection ends.
    async fn pump(
        &self,
        way: Way,
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
    ) -> io::Result<()> {
        let (lost, rate) = match way.request {
            true => (FaultKind::RequestLost, self.rates().request_lost),
            false => (FaultKind::ReplyLost, self.rates().reply_lost),
        };
        let store = match way.request {
            true => way.to,
            false => way.from,
        };
        let mut piece = vec![0; PIECE];
        loop {
            let length = from.read(&mut piece).await?;
            self.cross(way).await;
            if length == 0 {
                return Ok(());
            }
            if self.happens(lost, rate / RARER, store) {
                return swallow(from).await;
            }
            if self.happens(FaultKind::Reset, self.rates().reset / RARER, store) {
                let part = self.random().within(0..length as u64) as usize;
                to.write_all(&piece[..part]).await?;
                return Ok(());
            }
            to.write_all(&piece[..length]).await?;
        }
    }

    /// The time that a piece takes, which is sent again until it gets through.
    async fn cross(&self, way: Way) {
        self.travel(way.to).await;
        while !self.reaches(way.from, way.to) {
            sleep(RESEND).await;
        }
    }
}

/// Nothing that is sent arrives any more, and nobody is told; until the sender closes.
async fn swallow(mut from: ReadHalf<DuplexStream>) -> io::Result<()> {
    let mut nothing = vec![0; PIECE];
    while from.read(&mut nothing).await? > 0 {}
    sleep(RESEND).await;
    Ok(())
}
