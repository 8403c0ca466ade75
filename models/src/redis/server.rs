use std::collections::{BTreeMap, BTreeSet};

use super::args::{Answer, arity, error, integer, is};
use super::resp::{Protocol, Reply};
use super::script::Scripts;
use super::value::Data;
use super::{hashes, keys, sets, sorted_sets};

/// A server. It has no clock: whoever runs it says what time it is.
pub struct Redis {
    core: Core,
    scripts: Scripts,
    sessions: u64,
}

/// A client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(u64);

/// What a server remembers of a client.
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    /// How replies to it are written.
    pub protocol: Protocol,
}

/// What a server cannot do for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// It is a replica: writes are refused.
    pub replica: bool,
    /// Its memory is used up: what needs more is refused.
    pub full: bool,
    /// It still reads its data: everything is refused.
    pub loading: bool,
}

/// What commands work on, also inside of scripts.
pub(super) struct Core {
    data: Data,
    condition: Condition,
    run_id: String,
    now_us: u64,
    channels: BTreeMap<Vec<u8>, BTreeSet<SessionId>>,
    told: Vec<(SessionId, Reply)>,
}

impl Redis {
    /// An empty server, whose run id is made of a number.
    pub fn new(run: u64) -> Self {
        Self {
            core: Core {
                data: Data::default(),
                condition: Condition::default(),
                run_id: run_id(run),
                now_us: 0,
                channels: BTreeMap::new(),
                told: Vec::new(),
            },
            scripts: Scripts::new(),
            sessions: 0,
        }
    }

    /// A server that was a replica of this one until now: it has the same data and knows no
    /// script and no client.
    pub fn replica(&self, run: u64) -> Self {
        let mut replica = Self::new(run);
        replica.core.data = self.core.data.clone();
        replica.core.now_us = self.core.now_us;
        replica
    }

    /// Sets the time, in microseconds since the Unix epoch.
    pub fn set_time(&mut self, us: u64) {
        self.core.now_us = us;
    }

    /// Changes what it can do.
    pub fn set_condition(&mut self, condition: Condition) {
        self.core.condition = condition;
    }

    /// What it can do.
    pub fn condition(&self) -> Condition {
        self.core.condition
    }

    /// Forgets all scripts, as a restart does.
    pub fn forget_scripts(&mut self) {
        self.scripts.forget();
    }

    /// A new client.
    pub fn open(&mut self) -> Session {
        self.sessions += 1;
        Session {
            id: SessionId(self.sessions),
            protocol: Protocol::default(),
        }
    }

    /// A client is gone.
    pub fn close(&mut self, session: &Session) {
        for listeners in self.core.channels.values_mut() {
            listeners.remove(&session.id);
        }
    }

    /// What is to be told to clients that listen, since this was asked last.
    pub fn told(&mut self) -> Vec<(SessionId, Reply)> {
        std::mem::take(&mut self.core.told)
    }

    /// Carries out a command of a client.
    pub fn run(&mut self, session: &mut Session, command: &[Vec<u8>]) -> Reply {
        let Some((name, args)) = command.split_first() else {
            return error("ERR empty command");
        };
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        if self.core.condition.loading && !matches!(name.as_str(), "HELLO" | "INFO" | "PING") {
            return error("LOADING Redis is loading the dataset in memory");
        }
        let answer = match name.as_str() {
            "EVAL" => self.eval(args),
            "EVALSHA" => self.eval_by_hash(args),
            "SCRIPT" => self.script(args),
            _ => self
                .core
                .connection(session, &name, args)
                .unwrap_or_else(|| self.core.command(&name, args)),
        };
        answer.unwrap_or_else(|refused| refused)
    }

    fn eval(&mut self, args: &[Vec<u8>]) -> Answer {
        let [body, rest @ ..] = args else {
            return Err(arity("eval"));
        };
        let sha = self.scripts.load(body)?;
        let (keys, args) = split(rest)?;
        self.scripts.run(&mut self.core, &sha, keys, args)
    }

    fn eval_by_hash(&mut self, args: &[Vec<u8>]) -> Answer {
        let [sha, rest @ ..] = args else {
            return Err(arity("evalsha"));
        };
        let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
        let (keys, args) = split(rest)?;
        self.scripts.run(&mut self.core, &sha, keys, args)
    }

    fn script(&mut self, args: &[Vec<u8>]) -> Answer {
        match args {
            [word, body] if is(word, "LOAD") => self.scripts.load(body).map(Reply::text),
            [word, ..] if is(word, "FLUSH") => {
                self.scripts.forget();
                Ok(Reply::ok())
            }
            [word, shas @ ..] if is(word, "EXISTS") => {
                let known = shas.iter().map(|sha| String::from_utf8_lossy(sha));
                let known = known.map(|sha| Reply::Int(self.scripts.knows(&sha).into()));
                Ok(Reply::Array(known.collect()))
            }
            _ => Err(error("ERR unknown subcommand")),
        }
    }
}

/// Parts of a command.
type Words = [Vec<u8>];

/// The keys and the other arguments of a script.
fn split(args: &[Vec<u8>]) -> Result<(&Words, &Words), Reply> {
    let [count, rest @ ..] = args else {
        return Err(arity("eval"));
    };
    let count = usize::try_from(integer(count)?)
        .map_err(|_| error("ERR Number of keys can't be negative"))?;
    rest.split_at_checked(count)
        .ok_or_else(|| error("ERR Number of keys can't be greater than number of args"))
}

/// The commands that need memory.
const GROWING: [&str; 4] = ["HSET", "HSETNX", "SADD", "ZADD"];
/// The commands that change something.
const WRITING: [&str; 11] = [
    "HSET", "HSETNX", "HDEL", "SADD", "SREM", "ZADD", "ZREM", "ZPOPMIN", "DEL", "UNLINK",
    "FLUSHALL",
];

impl Core {
    /// A command on data.
    fn command(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
        if self.condition.replica && WRITING.contains(&name) {
            return Err(error(
                "READONLY You can't write against a read only replica.",
            ));
        }
        if self.condition.full && GROWING.contains(&name) {
            return Err(error(
                "OOM command not allowed when used memory > 'maxmemory'.",
            ));
        }
        self.carry_out(name, args)
    }

    fn carry_out(&mut self, name: &str, args: &[Vec<u8>]) -> Answer {
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
            ("PUBLISH", [channel, message]) => Ok(self.publish(channel, message)),
            ("INFO", _) => Ok(Reply::text(self.info())),
            ("WAIT", [_, _]) => Ok(Reply::Int(0)),
            _ => return None,
        })
    }

    fn publish(&mut self, channel: &[u8], message: &[u8]) -> Reply {
        let listeners = self.channels.get(channel).cloned().unwrap_or_default();
        for listener in &listeners {
            let parts = [b"message".as_slice(), channel, message];
            let parts = parts.map(|part| Reply::Bulk(part.to_vec()));
            self.told.push((*listener, Reply::Push(parts.into())));
        }
        Reply::Int(listeners.len() as i64)
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
             connected_slaves:0\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n",
            self.run_id
        )
    }

    /// A command on the client's connection.
    fn connection(
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

    /// A command of the script. One that has written is not refused for want of memory.
    pub(super) fn command(&mut self, words: &[Vec<u8>]) -> Reply {
        let Some((name, args)) = words.split_first() else {
            return error("ERR Please specify at least one argument for this redis lib call");
        };
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let full = self.core.condition.full;
        self.core.condition.full = full && !self.wrote;
        let answer = self.core.command(&name, args);
        self.core.condition.full = full;
        self.wrote |= WRITING.contains(&name.as_str()) && answer.is_ok();
        answer.unwrap_or_else(|refused| refused)
    }
}

/// 40 hexadecimal digits.
fn run_id(run: u64) -> String {
    sha1_smol::Sha1::from(run.to_be_bytes())
        .digest()
        .to_string()
}
