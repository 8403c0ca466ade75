use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{RedisServer, RedisVersion, free_port};

/// How long nodes may take until all know of each other what they should.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether they do.
const POLL: Duration = Duration::from_millis(50);
/// How often another port is tried when somebody else took the one that was free.
const TRIES: usize = 5;
/// Nodes that have slots at first.
const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// The nodes of a cluster talk to one another on a port that is so much higher.
const BUS: u16 = 10_000;
/// From here on no outgoing connection takes a port by itself.
const BUS_FIRST: u16 = 61_000;

/// A Redis or Valkey cluster that runs until this is dropped.
pub struct RedisCluster {
    version: RedisVersion,
    arguments: Vec<String>,
    servers: Vec<RedisServer>,
    /// Where the nodes reach one another.
    meeting: Vec<u16>,
}

impl RedisCluster {
    /// Starts three primaries that keep nothing on disk but who they are, each with a third of
    /// the slots.
    ///
    /// # Panics
    /// When they do not work together within a minute.
    pub fn start(version: RedisVersion, arguments: &[&str]) -> Self {
        let mut cluster = Self {
            version,
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            servers: Vec::new(),
            meeting: Vec::new(),
        };
        for number in 0..PRIMARIES {
            cluster.add();
            let slots = number * SLOTS / PRIMARIES..(number + 1) * SLOTS / PRIMARIES;
            let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
            cluster.tell(number, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
            let epoch = number + 1;
            cluster.tell(number, &format!("CLUSTER SET-CONFIG-EPOCH {epoch}"));
        }
        for (at, other) in [(0, 1), (0, 2), (1, 2)] {
            cluster.meet(at, other);
        }
        cluster.wait_until_it_works();
        cluster
    }

    /// The same, with a replica of each primary, in the same order behind them.
    ///
    /// # Panics
    /// When they do not work together within a minute.
    pub fn start_with_replicas(version: RedisVersion, arguments: &[&str]) -> Self {
        let mut cluster = Self::start(version, arguments);
        for primary in 0..PRIMARIES {
            let replica = cluster.join();
            let id = cluster.id(primary);
            cluster.tell(replica, &format!("CLUSTER REPLICATE {id}"));
        }
        for replica in PRIMARIES..2 * PRIMARIES {
            cluster.wait("a replica has what its primary has", |cluster| {
                cluster.info(replica, "master_link_status") == "up"
            });
        }
        cluster.wait("all know of the replicas", |cluster| {
            let all = 0..cluster.servers.len();
            all.clone().all(|at| {
                let nodes = cluster.ask(at, "CLUSTER NODES");
                nodes.matches("slave ").count() == PRIMARIES
            })
        });
        cluster
    }

    /// Starts one more node, without slots, and returns its number.
    ///
    /// # Panics
    /// When it is not part of the cluster within a minute.
    pub fn join(&mut self) -> usize {
        let number = self.add();
        for other in 0..number {
            self.meet(other, number);
        }
        self.wait_until_it_works();
        number
    }

    fn add(&mut self) -> usize {
        let mut failed = String::new();
        for _ in 0..TRIES {
            match self.try_add() {
                Ok(number) => return number,
                Err(why) => failed = why,
            }
        }
        panic!("{failed}");
    }

    /// With `--tls-cluster yes` a node listens for others, and for clients with TLS, on a port
    /// beside that on which it is asked.
    fn try_add(&mut self) -> Result<usize, String> {
        let meeting = port();
        let mut arguments = vec!["--cluster-enabled", "yes"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let text = meeting.to_string();
        let asked = match arguments.contains(&"--tls-cluster") {
            true => {
                arguments.extend(["--tls-port", &text]);
                free_port()
            }
            false => meeting,
        };
        let server = RedisServer::start_on(asked, self.version, &arguments)?;
        let answers = server.info("process_id").map_err(|why| why.to_string())?;
        if answers != server.process().id().to_string() {
            return Err(format!("another server listens on port {asked}"));
        }
        self.servers.push(server);
        self.meeting.push(meeting);
        Ok(self.servers.len() - 1)
    }

    fn meet(&self, at: usize, other: usize) {
        let port = self.meeting[other];
        self.tell(at, &format!("CLUSTER MEET 127.0.0.1 {port}"));
    }

    /// The port on which a node listens for other nodes: of clients those with TLS if it has it.
    pub fn port(&self, node: usize) -> u16 {
        self.meeting[node]
    }

    /// The nodes: first the three that were primaries at first.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The nodes, to be stopped.
    pub fn servers_mut(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// The number of the node that has the slot.
    ///
    /// # Panics
    /// When the first one that answers knows of none.
    pub fn owner(&self, slot: u16) -> usize {
        let mut all = 0..self.servers.len();
        let owner = all.find_map(|at| self.owner_as_known(at, slot));
        let (owner, _) = owner.unwrap_or_else(|| panic!("nobody has slot {slot}"));
        owner
    }

    /// The number of the node that has the slot and its epoch, as a node knows them. `None` when
    /// it does not run.
    fn owner_as_known(&self, node: usize, slot: u16) -> Option<(usize, String)> {
        let nodes = self.servers[node].ask("CLUSTER NODES").ok()?;
        let has = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let edges = (first.parse::<u16>(), last.parse::<u16>());
            matches!(edges, (Ok(first), Ok(last)) if (first..=last).contains(&slot))
        };
        let line = nodes
            .lines()
            .find(|line| line.split(' ').skip(8).any(has))?;
        let of = |server: &RedisServer| format!(":{}@", server.process().port());
        let owner = self.servers.iter().position(|s| line.contains(&of(s)))?;
        Some((owner, line.split(' ').nth(6)?.to_owned()))
    }

    /// Waits until all nodes that run know that this one has the slot, and since which epoch: one
    /// that does not know of the newest epoch could not take the slot over next.
    pub(crate) fn wait_for_owner(&self, slot: u16, owner: usize) {
        self.wait("all know who has the slot", |cluster| {
            let all = 0..cluster.servers.len();
            let known = all.filter_map(|at| cluster.owner_as_known(at, slot));
            let known: BTreeSet<_> = known.collect();
            known.len() == 1 && known.iter().all(|(known, _)| *known == owner)
        });
    }

    /// The id of a node.
    pub fn id(&self, node: usize) -> String {
        let answer = self.ask(node, "CLUSTER MYID");
        answer.lines().nth(1).unwrap_or_default().to_owned()
    }

    /// Asks a node.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn ask(&self, node: usize, line: &str) -> String {
        let answer = self.servers[node].ask(line);
        answer.unwrap_or_else(|error| panic!("{line:.80}: {error}"))
    }

    /// Tells a node to do something.
    ///
    /// # Panics
    /// When it does not.
    pub fn tell(&self, node: usize, line: &str) {
        let answer = self.ask(node, line);
        assert!(answer.starts_with("+OK"), "{line:.80}: {answer}");
    }

    fn info(&self, node: usize, field: &str) -> String {
        self.servers[node].info(field).unwrap_or_default()
    }

    /// Waits until all nodes say that all slots are served, and that all nodes are there.
    ///
    /// # Panics
    /// When they do not within a minute.
    pub fn wait_until_it_works(&self) {
        let known = format!("cluster_known_nodes:{}\r", self.servers.len());
        self.wait("all nodes work together", |cluster| {
            (0..cluster.servers.len()).all(|at| {
                let info = cluster.ask(at, "CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains(&known)
            })
        });
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            let nodes = || self.ask(0, "CLUSTER NODES");
            assert!(Instant::now() < until, "not so: {what}\n{}", nodes());
            sleep(POLL);
        }
    }

    /// Starts all nodes again, with what they kept on disk.
    ///
    /// # Panics
    /// When they do not work together within a minute.
    pub fn restart(&mut self) {
        for server in &mut self.servers {
            server.restart();
        }
        self.wait_until_it_works();
    }
}

/// A port that is free, and whose bus port is, too.
fn port() -> u16 {
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // Any will do, but for those whose bus port somebody else may be given meanwhile.
        let bus = BUS_FIRST + free_port() % (u16::MAX - BUS_FIRST);
        if is_free(bus) && is_free(bus - BUS) {
            return bus - BUS;
        }
    }
    panic!("no two ports that are {BUS} apart are free");
}
