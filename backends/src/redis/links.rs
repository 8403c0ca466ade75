use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};

use super::call::{Args, CallError, Reason, Refusal};
use super::cluster::{Cluster, Connections, Node};
use super::dialer::Dialer;
use super::link::{Link, Live};
use super::options::Address;
use super::script::Script;
use crate::limits::{REDIS_REDIRECTS, REDIS_REUNIONS};

/// The connections that calls share.
pub(crate) enum Links {
    /// All go to one server, which has every slot.
    Alone(Arc<Node>),
    /// They go to the nodes of a cluster.
    Cluster(Cluster),
}

impl Links {
    /// Connections to a server, or to the cluster of these nodes if there are any.
    pub(crate) fn new(dialer: &Arc<Dialer>, connections: Connections, nodes: Vec<Address>) -> Self {
        match nodes.is_empty() {
            true => Self::Alone(Node::new(dialer.clone(), connections)),
            false => Self::Cluster(Cluster::new(dialer.clone(), connections, nodes)),
        }
    }

    /// Where calls on the slot go. Those of the same number share a connection.
    pub(crate) fn route(&self, slot: u16, number: usize) -> Route<'_> {
        let node = match self {
            Self::Alone(node) => Some(node.clone()),
            Self::Cluster(cluster) => cluster.owner(slot),
        };
        Route {
            links: self,
            slot,
            number,
            node,
            of_commits: false,
            asking: false,
            redirects: 0,
        }
    }

    /// All servers that have a slot, another one first each time.
    pub(crate) fn servers(&self) -> Vec<Arc<Node>> {
        match self {
            Self::Alone(node) => vec![node.clone()],
            Self::Cluster(cluster) => cluster.owners(),
        }
    }

    /// Whether the server has the slot.
    pub(crate) fn has(&self, server: &Arc<Node>, slot: u16) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Cluster(cluster) => {
                let owner = cluster.owner(slot);
                owner.is_some_and(|owner| Arc::ptr_eq(&owner, server))
            }
        }
    }

    /// Whether it is one of these servers that this makes connections to.
    pub(crate) fn uses(&self, dialer: &Dialer) -> bool {
        let mut servers = self.servers().into_iter();
        servers.any(|server| server.dialer.node == dialer.node)
    }

    /// What is known of a cluster may be wrong.
    pub(crate) fn doubt(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.doubt();
        }
    }
}

/// Where a call on a slot goes.
#[derive(Clone)]
pub(crate) struct Route<'a> {
    links: &'a Links,
    slot: u16,
    number: usize,
    node: Option<Arc<Node>>,
    /// Whether it goes over the connections for commits.
    of_commits: bool,
    asking: bool,
    redirects: u32,
}

impl<'a> Route<'a> {
    /// Where it goes, for people to read.
    pub(crate) fn describe(&self) -> String {
        let node = self.node.as_ref();
        node.map_or_else(
            || format!("slot {}", self.slot),
            |node| node.dialer.describe(),
        )
    }

    /// Whether it goes to the same server as another one.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        let nodes = self.node.as_ref().zip(other.node.as_ref());
        nodes.is_some_and(|(node, other)| Arc::ptr_eq(node, other))
    }

    /// The same over the connections for commits.
    pub(crate) fn of_commits(self) -> Self {
        Self {
            of_commits: true,
            ..self
        }
    }

    /// A connection, which is made if there is none. Where commits have their own, it is one to
    /// the process that is read from: an epoch, and what a replica is asked to have, is of both.
    pub(crate) async fn live(&self) -> Result<(&Link, Live), CallError> {
        let (link, reads) = (self.link()?, self.node()?.link(self.number));
        for _ in 0..REDIS_REUNIONS {
            let mut live = link.live().await?;
            let read = match std::ptr::eq(link, reads) {
                true => None,
                false => Some(reads.live().await?),
            };
            let Some(read) = read.filter(|read| read.reign != live.reign) else {
                live.asking = self.asking;
                return Ok((link, live));
            };
            // Which of them goes to the primary is not known.
            link.give_up(&live);
            reads.give_up(&read);
        }
        let why = "TRYAGAIN the primary has just changed";
        Err(CallError::Refused(Refusal::new(why)))
    }

    /// The connection, whether it is made or not.
    pub(crate) fn link(&self) -> Result<&Link, CallError> {
        let node = self.node()?;
        Ok(match self.of_commits {
            true => node.commits(self.number),
            false => node.link(self.number),
        })
    }

    fn node(&self) -> Result<&Arc<Node>, CallError> {
        let why = || format!("no node of the cluster has slot {}", self.slot);
        let node = self.node.as_ref();
        node.ok_or_else(|| CallError::Unreachable(why()))
    }

    /// Goes to the node that has the slot again, if it does not: another one is asked only for
    /// what this one has been asked for. Whether that was so.
    pub(crate) fn go_back(&mut self) -> bool {
        if self.asking {
            *self = Self {
                of_commits: self.of_commits,
                redirects: self.redirects,
                ..self.links.route(self.slot, self.number)
            };
            return true;
        }
        false
    }

    /// Whether a call with this answer is to be sent again, to where this goes from now on: it
    /// was sent to a node that has not what it is about, and nothing ran.
    pub(crate) fn follow<T>(&mut self, answer: &Result<T, CallError>) -> bool {
        let (Err(error), Links::Cluster(cluster)) = (answer, self.links) else {
            return false;
        };
        let next = cluster.heed(self.slot, self.node.as_deref(), error);
        let Some((node, asking)) = next.filter(|_| self.redirects < REDIS_REDIRECTS) else {
            return false;
        };
        self.redirects += 1;
        self.node = Some(node);
        self.asking = asking;
        true
    }

    /// Runs a command that changes nothing; a connection that was lost meanwhile, or on which there
    /// is no primary any more, is made anew.
    pub(crate) async fn read(self, command: &Cmd) -> Result<Value, CallError> {
        self.read_of(command, None).await
    }

    /// As [`Self::read`], of a key that is always there.
    pub(crate) async fn read_of(
        mut self,
        command: &Cmd,
        key: Option<&[u8]>,
    ) -> Result<Value, CallError> {
        let mut lost = false;
        loop {
            let answer = match self.live().await {
                Ok((link, live)) => link.read(&live, command, key).await,
                Err(error) => Err(error),
            };
            let again = matches!(&answer, Err(error) if is_left(error)) && !lost;
            lost |= again;
            if !self.follow(&answer) && !again {
                return answer;
            }
        }
    }

    /// Runs a script whose effects may happen twice.
    pub(crate) async fn repeatable(
        mut self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &Args,
    ) -> Result<Value, CallError> {
        loop {
            let answer = match self.live().await {
                Ok((link, live)) => link.script(&live, script, keys, args).await,
                Err(error) => Err(error),
            };
            if !self.follow(&answer) {
                return answer;
            }
        }
    }

    /// Runs commands that may be done twice one behind the other; the answers may be errors.
    pub(crate) async fn pipeline(mut self, commands: &Pipeline) -> Result<Vec<Value>, CallError> {
        let answers = match self.live().await {
            Ok((link, live)) => link.pipeline(&live, commands).await,
            Err(error) => Err(error),
        };
        self.follow(&answers);
        let mut answers = answers?;
        for (answer, command) in answers.iter_mut().zip(commands.cmd_iter()) {
            if let Value::ServerError(error) = answer {
                let refused = Err::<(), _>(CallError::Refused(Refusal::of(error)));
                let mut route = self.clone();
                if route.follow(&refused) {
                    *answer = route.read(command).await?;
                }
            }
        }
        Ok(answers)
    }
}

/// Whether another connection may answer.
fn is_left(error: &CallError) -> bool {
    matches!(error, CallError::Lost(_)) || error.reason() == Some(Reason::NotPrimary)
}
