use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

use russet_servers::{Process, RedisServer, RedisVersion, installed};

use crate::wait;

/// A primary and a replica, which change their roles, and a sentinel that says who is who and
/// decides alone.
pub struct Pair {
    pub servers: [RedisServer; 2],
    sentinel: Process,
}

impl Pair {
    /// Starts them; the first server is the primary, and the second one has what it has.
    pub fn start(version: RedisVersion) -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let primary = RedisServer::start_with(version, &at_once);
        let port = primary.process().port().to_string();
        let of = ["--replicaof", "127.0.0.1", &port];
        let arguments = [&at_once[..], &of].concat();
        let replica = RedisServer::start_with(version, &arguments);
        let sentinel = sentinel(&primary);
        let pair = Self {
            servers: [primary, replica],
            sentinel,
        };
        pair.wait_until_attached();
        pair
    }

    /// Where the sentinel answers.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.sentinel.port())
    }

    /// Which server the sentinel says is the primary.
    pub fn primary(&self) -> usize {
        let answer = self.ask("SENTINEL GET-MASTER-ADDR-BY-NAME main");
        let is_named = |server: &RedisServer| {
            let port = server.process().port().to_string();
            answer.lines().any(|line| line == port)
        };
        let named = self.servers.iter().position(is_named);
        named.unwrap_or_else(|| panic!("no primary: {answer}"))
    }

    /// Waits until the replica follows the primary and the sentinel knows it.
    pub fn wait_until_attached(&self) {
        let says = |server: &RedisServer, field: &str, value: &str| {
            server.info(field).is_ok_and(|said| said == value)
        };
        wait::until("the replica follows the primary", || {
            let primary = self.primary();
            let replica = &self.servers[1 - primary];
            let answer = self.ask("SENTINEL REPLICAS main");
            says(&self.servers[primary], "role", "master")
                && says(&self.servers[primary], "connected_slaves", "1")
                && says(replica, "role", "slave")
                && says(replica, "master_link_status", "up")
                && answer.contains(&replica.process().port().to_string())
                && !answer.contains("s_down")
                && !answer.contains("disconnected")
        });
    }

    /// Waits until the replica has all that the primary has at this moment.
    pub fn wait_until_synced(&self) {
        let primary = self.primary();
        let offset = |at: usize, field: &str| -> u64 {
            let said = self.servers[at].info(field).expect("it answers");
            said.parse().expect("an offset")
        };
        let now = offset(primary, "master_repl_offset");
        wait::until("the replica has what the primary had", || {
            offset(1 - primary, "slave_repl_offset") >= now
        });
    }

    /// Has the sentinel exchange the roles, with both servers alive.
    pub fn switch(&self) {
        let before = self.primary();
        wait::until("the sentinel begins a failover", || {
            self.ask("SENTINEL FAILOVER main").starts_with("+OK")
        });
        self.wait_for_another(before);
    }

    /// Ends the primary as `kill -9` does, and waits until the other server is the primary;
    /// returns which one was killed.
    pub fn kill_primary(&mut self) -> usize {
        let before = self.primary();
        self.servers[before].process_mut().kill();
        self.wait_for_another(before);
        before
    }

    fn wait_for_another(&self, before: usize) {
        wait::until("another server is the primary", || {
            let role = self.servers[1 - before].info("role");
            self.primary() != before && role.is_ok_and(|role| role == "master")
        });
    }

    fn ask(&self, line: &str) -> String {
        let answer = ask(self.sentinel.port(), line);
        answer.expect("the sentinel answers")
    }
}

fn sentinel(primary: &RedisServer) -> Process {
    let watched = primary.process().port();
    Process::start(|folder, port| {
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {watched} 1\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 2000\n"
        );
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, settings).expect("the settings are written");
        let mut command = Command::new(installed(primary.version().program()));
        command.arg(file).arg("--sentinel");
        command
    })
}

/// A sentinel knows no QUIT: it is told that no more comes.
fn ask(port: u16, line: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "{line}\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
