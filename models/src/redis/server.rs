use std::collections::BTreeMap;

use super::args::{Answer, arity, error, integer, is};
use super::cluster::{self, Membership};
use super::core::{Core, Write};
use super::resp::{Protocol, Reply};
use super::script::Scripts;
use super::value::Data;

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
    pub(super) id: SessionId,
    /// How replies to it are written.
    pub protocol: Protocol,
    /// It has said `ASKING`, which holds for its next command.
    pub(super) asking: bool,
}

impl Session {
    /// Which client it is of.
    pub fn id(&self) -> SessionId {
        self.id
    }
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
    /// How many replicas it has.
    pub replicas: u32,
}

impl Redis {
    /// An empty server, whose run id is made of a number.
    pub fn new(run: u64) -> Self {
        Self {
            core: Core {
                data: Data::default(),
                written: Vec::new(),
                condition: Condition::default(),
                run_id: run_id(run),
                now_us: 0,
                channels: BTreeMap::new(),
                told: Vec::new(),
                cluster: None,
                published: Vec::new(),
                asking: false,
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
        replica.core.cluster = self.core.cluster.clone();
        replica
    }

    /// A server that has what these have together, and is in no cluster.
    pub fn of_all<'a>(run: u64, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut whole = Self::new(run);
        for part in parts {
            whole.core.data.copy(&part.core.data);
            whole.core.now_us = part.core.now_us;
        }
        whole
    }

    /// Makes it a node of a cluster.
    pub fn join(&mut self, cluster: Membership) {
        self.core.cluster = Some(cluster);
    }

    /// The cluster that it is a node of, as it knows it.
    pub fn cluster(&mut self) -> Option<&mut Membership> {
        self.core.cluster.as_mut()
    }

    /// The keys of a slot that it has.
    pub fn keys_in(&self, slot: u16) -> Vec<Vec<u8>> {
        let keys = self.core.data.keys();
        keys.filter(|key| cluster::slot(key) == slot)
            .cloned()
            .collect()
    }

    /// `MIGRATE`: moves a key to another node, whole; whether it was here and not there.
    pub fn move_key(&mut self, key: &[u8], to: &mut Self) -> bool {
        self.core.data.give(key, &mut to.core.data)
    }

    /// What was published since this was asked last, for those who listen at other nodes of the
    /// cluster.
    pub fn published(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        std::mem::take(&mut self.core.published)
    }

    /// Tells those who listen what was published at another node.
    pub fn hear(&mut self, channel: &[u8], message: &[u8]) {
        self.core.tell(channel, message);
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
            asking: false,
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

    /// What was written to hashes and sorted sets since this was asked last, in order.
    pub fn written(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.core.written)
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
        self.core.asking = std::mem::take(&mut session.asking);
        let (cluster, data) = (self.core.cluster.as_ref(), &self.core.data);
        let call = (name.as_str(), args);
        if let Err(refused) = cluster::admit(cluster, data, call, self.core.asking) {
            return refused;
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

/// 40 hexadecimal digits.
fn run_id(run: u64) -> String {
    sha1_smol::Sha1::from(run.to_be_bytes())
        .digest()
        .to_string()
}
