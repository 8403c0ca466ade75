use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::args::{Answer, error, float, integer};
use super::cluster::{self, Membership};
use super::resp::{Protocol, Reply};
use super::server::{Condition, Session, SessionId};
use super::sorted::SortedSet;
use super::value::Data;
use super::{hashes, keys, sets, sorted_sets};

/// One thing that a command wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The key of the hash or the sorted set.
    pub key: Vec<u8>,
    /// The field, or the member.
    pub name: Vec<u8>,
    /// What became of it.
    pub what: Written,
}

/// What became of a field or a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// A field of a hash has this value.
    Field(Vec<u8>),
    /// A hash has no such field any more.
    NoField,
    /// A member of a sorted set has this score.
    Member {
        /// The score.
        score: f64,
        /// Whether it was not there before.
        new: bool,
    },
}

/// What commands work on, also inside of scripts.
pub(super) struct Core {
    pub(super) data: Data,
    pub(super) written: Vec<Write>,
    pub(super) condition: Condition,
    pub(super) run_id: String,
    pub(super) now_us: u64,
    pub(super) channels: BTreeMap<Vec<u8>, BTreeSet<SessionId>>,
    pub(super) told: Vec<(SessionId, Reply)>,
    /// The cluster that it is a node of.
    pub(super) cluster: Option<Membership>,
    /// What is to be told to those who listen at other nodes: channel and message.
    pub(super) published: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the client asks for what another node is still giving to this one.
    pub(super) asking: bool,
}

/// A command that changes something.
struct Writing {
    name: &'static str,
    /// How many arguments it takes.
    arguments: RangeInclusive<usize>,
    /// Whether it needs memory.
    grows: bool,
}

const fn writing(name: &'static str, least: usize, most: usize, grows: bool) -> Writing {
    Writing {
        name,
        arguments: least..=most,
        grows,
    }
}

/// The commands that change something.
const WRITING: [Writing; 11] = [
    writing("HSET", 3, usize::MAX, true),
    writing("HSETNX", 3, 3, true),
    writing("SADD", 2, usize::MAX, true),
    writing("ZADD", 3, usize::MAX, true),
    writing("HDEL", 2, usize::MAX, false),
    writing("SREM", 2, usize::MAX, false),
    writing("ZREM", 2, usize::MAX, false),
    writing("ZREMRANGEBYRANK", 3, 3, false),
    writing("DEL", 1, usize::MAX, false),
    writing("UNLINK", 1, usize::MAX, false),
    writing("FLUSHALL", 0, usize::MAX, false),
];

/// What a command changes; nothing when it has too few arguments or too many, which is told first.
fn to_write(name: &str, args: &[Vec<u8>]) -> Option<&'static Writing> {
    let own = |writing: &&Writing| writing.name == name;
    let known = WRITING.iter().find(own)?;
    known.arguments.contains(&args.len()).then_some(known)
}

impl Core {
    /// A command on data.
    pub(super) fn command(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
        self.admit(name, args)?;
        self.carry_out(name, args)
    }

    /// Whether a command can be carried out now.
    fn admit(&self, name: &str, args: &[Vec<u8>]) -> Result<(), Reply> {
        let Some(writing) = to_write(name, args) else {
            return Ok(());
        };
        if self.condition.replica {
            return Err(error(
                "READONLY You can't write against a read only replica.",
            ));
        }
        if self.condition.full && writing.grows {
            return Err(error(
                "OOM command not allowed when used memory > 'maxmemory'.",
            ));
        }
        Ok(())
    }

    fn carry_out(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
        let mut writes = self.writes(name, args);
        let answer = self.try_to_carry_out(name, args);
        if answer.is_ok() {
            self.written.append(&mut writes);
        }
        answer
    }

    /// What a command writes if it is carried out.
    fn writes(&self, name: &str, args: &[Vec<u8>]) -> Vec<Write> {
        let [key, rest @ ..] = args else {
            return Vec::new();
        };
        let write = |name: &Vec<u8>, what: Written| Write {
            key: key.clone(),
            name: name.clone(),
            what,
        };
        let pairs = rest.chunks_exact(2).map(|pair| (&pair[0], &pair[1]));
        match name {
            "HSET" => pairs
                .map(|(field, value)| write(field, Written::Field(value.clone())))
                .collect(),
            "HDEL" => rest
                .iter()
                .map(|field| write(field, Written::NoField))
                .collect(),
            "ZADD" => {
                let set = self.data.read::<SortedSet>(key).ok().flatten();
                let member = |(score, member): (&Vec<u8>, &Vec<u8>)| {
                    let new = set.is_none_or(|set| set.score(member).is_none());
                    let score = float(score).ok()?;
                    Some(write(member, Written::Member { score, new }))
                };
                pairs.filter_map(member).collect()
            }
            _ => Vec::new(),
        }
    }

    fn try_to_carry_out(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
        let data = &mut self.data;
        hashes::run(data, name, args)
            .or_else(|| sets::run(data, name, args))
            .or_else(|| sorted_sets::run(data, name, args))
            .or_else(|| keys::run(data, name, args))
            .or_else(|| self.other(name, args))
            .unwrap_or_else(|| Err(Reply::Error(format!("ERR unknown command '{name}'"))))
    }

    fn other(&mut self, name: &str, args: &[Vec<u8>]) -> Option<Answer> {
        Some(match (name, args) {
            ("TIME", []) => Ok(Reply::bulks(
                [self.now_us / 1_000_000, self.now_us % 1_000_000]
                    .map(|part| part.to_string().into_bytes()),
            )),
            ("PUBLISH", [channel, message]) => {
                if self.cluster.is_some() {
                    self.published.push((channel.clone(), message.clone()));
                }
                Ok(self.tell(channel, message))
            }
            ("INFO", _) => Ok(Reply::text(self.info())),
            ("ROLE", []) => Ok(self.role()),
            ("WAIT", [count, millis]) => self.wait(count, millis),
            _ => return None,
        })
    }

    /// How many replicas have all that was written: each that there is.
    fn wait(&self, count: &[u8], millis: &[u8]) -> Answer {
        if self.condition.replica {
            return Err(error("ERR WAIT cannot be used with replica instances."));
        }
        integer(count)?;
        match integer(millis)? {
            0.. => Ok(Reply::Int(self.condition.replicas.into())),
            _ => Err(error("ERR timeout is negative")),
        }
    }

    /// Tells those who listen here.
    pub(super) fn tell(&mut self, channel: &[u8], message: &[u8]) -> Reply {
        let listeners = self.channels.get(channel).cloned().unwrap_or_default();
        for listener in &listeners {
            let parts = [b"message".as_slice(), channel, message];
            let parts = parts.map(|part| Reply::Bulk(part.to_vec()));
            self.told.push((*listener, Reply::Push(parts.into())));
        }
        Reply::Int(listeners.len() as i64)
    }

    fn role(&self) -> Reply {
        match self.condition.replica {
            true => Reply::Array(vec![
                Reply::text("slave"),
                Reply::text("127.0.0.1"),
                Reply::Int(6379),
                Reply::text("connected"),
                Reply::Int(0),
            ]),
            false => Reply::Array(vec![
                Reply::text("master"),
                Reply::Int(0),
                Reply::Array(Vec::new()),
            ]),
        }
    }

    fn info(&self) -> String {
        let role = if self.condition.replica {
            "slave"
        } else {
            "master"
        };
        format!(
            "# Server\r\nredis_version:7.0.15\r\nrun_id:{}\r\n\r\n# Memory\r\n\
             maxmemory_policy:noeviction\r\n\r\n# Replication\r\nrole:{role}\r\n\
             connected_slaves:{}\r\n\r\n# Cluster\r\ncluster_enabled:{}\r\n",
            self.run_id,
            self.condition.replicas,
            u8::from(self.cluster.is_some())
        )
    }

    /// A command on the client's connection.
    pub(super) fn connection(
        &mut self,
        session: &mut Session,
        name: &str,
        args: &[Vec<u8>],
    ) -> Option<Answer> {
        Some(Ok(match (name, args) {
            ("PING", []) => Reply::Status("PONG".into()),
            ("PING", [text]) => Reply::Bulk(text.clone()),
            ("HELLO", [version, ..]) => {
                session.protocol = match version.as_slice() {
                    b"3" => Protocol::Resp3,
                    _ => Protocol::Resp2,
                };
                let field = |name: &str, value: Reply| (Reply::text(name), value);
                Reply::Map(vec![
                    field("server", Reply::text("redis")),
                    field("version", Reply::text("7.0.15")),
                    field(
                        "proto",
                        Reply::Int(if session.protocol == Protocol::Resp3 {
                            3
                        } else {
                            2
                        }),
                    ),
                    field("role", Reply::text("master")),
                ])
            }
            ("CLIENT" | "SELECT" | "AUTH", _) => Reply::ok(),
            ("CLUSTER", args) => return Some(cluster::run(self.cluster.as_ref(), args)),
            ("ASKING", []) => {
                return Some(cluster::ask(self.cluster.as_ref(), &mut session.asking));
            }
            ("SUBSCRIBE", [channel]) => {
                let listeners = self.channels.entry(channel.clone()).or_default();
                listeners.insert(session.id);
                Reply::Push(vec![
                    Reply::text("subscribe"),
                    Reply::Bulk(channel.clone()),
                    Reply::Int(1),
                ])
            }
            _ => return None,
        }))
    }
}

/// One run of a script.
pub(super) struct Run<'a> {
    core: &'a mut Core,
    wrote: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(core: &'a mut Core) -> Self {
        Self { core, wrote: false }
    }

    /// A command of the script. One that has tried to write is not refused for want of memory.
    pub(super) fn command(&mut self, words: &[Vec<u8>]) -> Reply {
        let Some((name, args)) = words.split_first() else {
            return error("ERR Please specify at least one argument for this redis lib call");
        };
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let (cluster, data) = (self.core.cluster.as_ref(), &self.core.data);
        let call = (name.as_str(), args);
        if let Err(refused) = cluster::admit_script(cluster, data, call, self.core.asking) {
            return refused;
        }
        let full = self.core.condition.full;
        self.core.condition.full = full && !self.wrote;
        let admitted = self.core.admit(&name, args);
        self.core.condition.full = full;
        let answer = admitted.and_then(|()| {
            self.wrote |= to_write(&name, args).is_some();
            self.core.carry_out(&name, args)
        });
        answer.unwrap_or_else(|refused| refused)
    }
}
