//! What a node of a cluster knows of slots, and where it sends those who ask for other nodes'.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::args::{Answer, arity, error, integer, is};
use super::resp::Reply;
use super::value::Data;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// What a script is told that goes beyond its node.
const ELSEWHERE: &str = "ERR Script attempted to access a non local key in a cluster node";
const DOWN: &str = "CLUSTERDOWN The cluster is down";
const DISABLED: &str = "ERR This instance has cluster support disabled";

/// A primary of a cluster, by its number.
pub type NodeNumber = u8;

/// A server as a node of a cluster: what it knows, which another node may know otherwise.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Where the nodes are: host and port.
    nodes: Vec<(String, u16)>,
    own: NodeNumber,
    /// By slot.
    owners: Vec<NodeNumber>,
    /// Slots of its own, and to which node their keys go.
    migrating: BTreeMap<u16, NodeNumber>,
    /// Slots of other nodes, and from which one their keys come.
    importing: BTreeMap<u16, NodeNumber>,
    /// Another node is missing: no slot is served.
    down: bool,
}

impl Membership {
    /// The node `own` of these, each of which has as many slots as any other.
    pub fn new(nodes: Vec<(String, u16)>, own: NodeNumber) -> Self {
        let all = nodes.len();
        let edge = |number: usize| number * usize::from(SLOTS) / all;
        let slots =
            |number| std::iter::repeat_n(number as NodeNumber, edge(number + 1) - edge(number));
        Self {
            owners: (0..all).flat_map(slots).collect(),
            nodes,
            own,
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
            down: false,
        }
    }

    /// Which node it is.
    pub fn own(&self) -> NodeNumber {
        self.own
    }

    /// The node that has the slot, as far as this one knows.
    pub fn owner(&self, slot: u16) -> NodeNumber {
        self.owners[usize::from(slot % SLOTS)]
    }

    /// `CLUSTER SETSLOT slot MIGRATING`: keys of the slot that it does not have are at `to`.
    pub fn migrate(&mut self, slot: u16, to: NodeNumber) {
        self.migrating.insert(slot, to);
    }

    /// `CLUSTER SETSLOT slot IMPORTING`: who asks for the slot with `ASKING` is served.
    pub fn import(&mut self, slot: u16, from: NodeNumber) {
        self.importing.insert(slot, from);
    }

    /// `CLUSTER SETSLOT slot NODE`: that node has the slot.
    pub fn assign(&mut self, slot: u16, to: NodeNumber) {
        self.owners[usize::from(slot % SLOTS)] = to;
        self.migrating.remove(&slot);
        self.importing.remove(&slot);
    }

    /// A node of the cluster is missing, or none is any more.
    pub fn set_down(&mut self, down: bool) {
        self.down = down;
    }

    /// Why a call on these keys is not served here; `None` when it is.
    fn redirect(&self, data: &Data, keys: &[&Vec<u8>], asking: bool) -> Option<Reply> {
        let first = keys.first()?;
        let slot = slot(first);
        if keys.iter().any(|key| self::slot(key) != slot) {
            return Some(error(
                "CROSSSLOT Keys in request don't hash to the same slot",
            ));
        }
        if self.down {
            return Some(error(DOWN));
        }
        let missing = keys.iter().filter(|key| !data.has(key)).count();
        let try_again = || error("TRYAGAIN Multiple keys request during rehashing of slot");
        let owner = self.owner(slot);
        if owner == self.own {
            let to = *self.migrating.get(&slot)?;
            return match missing {
                0 => None,
                all if all == keys.len() => Some(self.elsewhere("ASK", slot, to)),
                _ => Some(try_again()),
            };
        }
        if asking && self.importing.contains_key(&slot) {
            let several = keys.iter().any(|key| key != first);
            return (several && missing > 0).then(try_again);
        }
        Some(self.elsewhere("MOVED", slot, owner))
    }

    fn elsewhere(&self, code: &str, slot: u16, node: NodeNumber) -> Reply {
        let (host, port) = self.address(node);
        Reply::Error(format!("{code} {slot} {host}:{port}"))
    }

    fn address(&self, node: NodeNumber) -> (&str, u16) {
        let known = self.nodes.get(usize::from(node));
        known.map_or(("?", 0), |(host, port)| (host, *port))
    }

    /// `CLUSTER SLOTS`: ranges, each with its node.
    fn slots(&self) -> Reply {
        let mut ranges: Vec<(usize, usize, NodeNumber)> = Vec::new();
        for (slot, owner) in self.owners.iter().enumerate() {
            match ranges.last_mut() {
                Some((_, last, known)) if known == owner => *last = slot,
                _ => ranges.push((slot, slot, *owner)),
            }
        }
        let ranges = ranges.into_iter().map(|(first, last, owner)| {
            let (host, port) = self.address(owner);
            let node = Reply::Array(vec![
                Reply::text(host),
                Reply::Int(port.into()),
                Reply::text(format!("{owner:040x}")),
                Reply::Array(Vec::new()),
            ]);
            Reply::Array(vec![
                Reply::Int(first as i64),
                Reply::Int(last as i64),
                node,
            ])
        });
        Reply::Array(ranges.collect())
    }

    fn info(&self) -> String {
        let nodes = self.nodes.len();
        format!(
            "cluster_state:{}\r\ncluster_slots_assigned:{SLOTS}\r\ncluster_slots_ok:{SLOTS}\r\n\
             cluster_known_nodes:{nodes}\r\ncluster_size:{nodes}\r\n",
            if self.down { "fail" } else { "ok" }
        )
    }
}

/// Whether a client's call is served here, and else why not.
pub(super) fn admit(
    cluster: Option<&Membership>,
    data: &Data,
    (name, args): (&str, &[Vec<u8>]),
    asking: bool,
) -> Result<(), Reply> {
    let Some(cluster) = cluster else {
        return Ok(());
    };
    let refused = cluster.redirect(data, &keys(name, args), asking);
    refused.map_or(Ok(()), Err)
}

/// The same for a call of a script, which nobody can send elsewhere.
pub(super) fn admit_script(
    cluster: Option<&Membership>,
    data: &Data,
    call: (&str, &[Vec<u8>]),
    asking: bool,
) -> Result<(), Reply> {
    admit(cluster, data, call, asking).map_err(|_| error(ELSEWHERE))
}

/// `CLUSTER` and its like.
pub(super) fn run(cluster: Option<&Membership>, args: &[Vec<u8>]) -> Answer {
    let cluster = cluster.ok_or_else(|| error(DISABLED))?;
    match args {
        [word] if is(word, "INFO") => Ok(Reply::text(cluster.info())),
        [word] if is(word, "SLOTS") => Ok(cluster.slots()),
        [word, key] if is(word, "KEYSLOT") => Ok(Reply::Int(slot(key).into())),
        [] => Err(arity("cluster")),
        _ => Err(error("ERR unknown subcommand")),
    }
}

/// `ASKING`.
pub(super) fn ask(cluster: Option<&Membership>, asking: &mut bool) -> Answer {
    *asking = cluster.is_some();
    match cluster {
        Some(_) => Ok(Reply::ok()),
        None => Err(error(DISABLED)),
    }
}

/// The keys that a command names.
fn keys<'a>(name: &str, args: &'a [Vec<u8>]) -> Vec<&'a Vec<u8>> {
    let (first, count) = match name {
        "EVAL" | "EVALSHA" => {
            let count = args.get(1).and_then(|count| integer(count).ok());
            (
                2,
                count
                    .and_then(|count| usize::try_from(count).ok())
                    .unwrap_or(0),
            )
        }
        "EXISTS" | "DEL" | "UNLINK" => (0, args.len()),
        _ if takes_key(name) => (0, 1),
        _ => (0, 0),
    };
    args.iter().skip(first).take(count).collect()
}

/// Whether the first argument of a command is its only key.
fn takes_key(name: &str) -> bool {
    const HASHES: [&str; 6] = ["HSET", "HSETNX", "HGET", "HMGET", "HDEL", "HLEN"];
    const SETS: [&str; 4] = ["SADD", "SREM", "SMEMBERS", "SCARD"];
    name.starts_with('Z') || HASHES.contains(&name) || SETS.contains(&name)
}

/// The slot of a key: of what stands between its first braces, if anything does.
pub fn slot(key: &[u8]) -> u16 {
    let braced = || {
        let rest = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
        let end = rest.iter().position(|byte| *byte == b'}')?;
        (end > 0).then_some(&rest[..end])
    };
    crc16(braced().unwrap_or(key)) % SLOTS
}

/// CRC-16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}
