//! How clients and workers reach the nodes: over the simulated network, and every request and
//! answer is written down.

use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::{Request, Response};
use russet::{Transport, TransportError};

use super::net::{CallError, Net, Parcel, Reply};
use super::spelling;
use super::time::now;
use crate::history::{Actor, Answer, Journal, What};
use crate::plan::Random;

/// A client's or worker's way to the nodes: one of them, until it does not answer.
pub struct ToNodes {
    net: Net,
    journal: Journal,
    own: Actor,
    nodes: u8,
    favourite: Mutex<u8>,
    random: Random,
}

impl ToNodes {
    /// The way of `own` to nodes `0..nodes`.
    pub fn new(net: Net, journal: Journal, own: Actor, nodes: u8, random: Random) -> Self {
        let favourite = random.within(0..u64::from(nodes)) as u8;
        Self {
            net,
            journal,
            own,
            nodes,
            favourite: Mutex::new(favourite),
            random,
        }
    }

    /// Mostly the node that answered last; now and then another, as behind a load balancer.
    fn choose(&self) -> u8 {
        let mut favourite = self
            .favourite
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.random.percent(10) {
            *favourite = self.random.within(0..u64::from(self.nodes)) as u8;
        }
        *favourite
    }

    fn turn_away(&self, from: u8) {
        let mut favourite = self
            .favourite
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *favourite = (from + 1) % self.nodes;
    }
}

/// Gives up the node when the call is given up: the caller's patience ended.
struct Patience<'a> {
    to: &'a ToNodes,
    node: u8,
    answered: bool,
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.to.turn_away(self.node);
        }
    }
}

#[async_trait]
impl Transport for ToNodes {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let chosen = self.choose();
        let mut patience = Patience {
            to: self,
            node: chosen,
            answered: false,
        };
        let (call, node) = (self.journal.new_call(), Actor::Node(chosen));
        let asks = spelling::asks(&request);
        let asked = What::Asked {
            call,
            who: self.own,
            node,
            asks: asks.clone(),
        };
        self.journal.write(now(), asked);
        let called = self.net.call(self.own, node, Parcel::Http(request)).await;
        let why = |text: &str| text.to_owned();
        let (result, answers) = match called {
            Ok(Reply::Http(response)) => {
                patience.answered = true;
                let answers = spelling::answers(&asks, &response);
                (Ok(response), answers)
            }
            Err(CallError::Refused) => {
                let error = TransportError::NotSent {
                    why: why("connection refused"),
                };
                (Err(error), vec![Answer::NotSent; asks.len()])
            }
            Ok(Reply::Store(_) | Reply::Aws(_)) | Err(CallError::Reset) => {
                let error = TransportError::Lost {
                    why: why("connection reset"),
                };
                (Err(error), vec![Answer::Lost; asks.len()])
            }
        };
        self.journal.write(now(), What::Answered { call, answers });
        result
    }
}
