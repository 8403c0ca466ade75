//! `russet serve`, as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Address, Http, Process};

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub russet: PathBuf,
    /// Where it keeps its tasks.
    pub data_dir: PathBuf,
    /// Where it listens; any free port of this machine unless changed.
    pub listen: String,
    /// In how many partitions it keeps them.
    pub partitions: u16,
    /// The tokens that it wants.
    pub tokens: Option<String>,
    /// Largest file that it may write, in 512-byte blocks: how full its disk is.
    pub file_blocks: Option<u64>,
}

/// A running server.
#[derive(Debug)]
pub struct Serve {
    /// Its process.
    pub process: Process,
    /// Where it is.
    pub address: Address,
}

impl Settings {
    /// `russet` is `env!("CARGO_BIN_EXE_russet-under-test")`, which only a test knows.
    pub fn new(russet: &str, data_dir: &Path) -> Self {
        Self {
            russet: russet.into(),
            data_dir: data_dir.into(),
            listen: "127.0.0.1:0".to_owned(),
            partitions: 1,
            tokens: None,
            file_blocks: None,
        }
    }

    /// The same, listening there.
    #[must_use]
    pub fn listening(self, address: &str) -> Self {
        Self {
            listen: address.to_owned(),
            ..self
        }
    }

    /// The command line of the server.
    pub fn command(&self) -> Command {
        let mut command = match self.file_blocks {
            None => Command::new(&self.russet),
            Some(blocks) => {
                // Without its signal, a write that is too long fails like one on a full disk.
                let limited = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(limited).arg(&self.russet);
                shell
            }
        };
        command
            .args(["serve", "--listen", &self.listen, "--data-dir"])
            .arg(&self.data_dir)
            .args(["--set", &format!("store.partitions={}", self.partitions)]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RUSSET_")) {
            command.env_remove(name);
        }
        if let Some(tokens) = &self.tokens {
            command.env("RUSSET_TOKENS", tokens);
        }
        command.env("RUST_BACKTRACE", "0");
        command
    }

    /// Starts the process, which may not listen yet.
    #[track_caller]
    pub fn spawn(&self) -> Process {
        Process::start(&mut self.command())
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When it ends first.
    #[track_caller]
    pub fn start(&self) -> Serve {
        let mut process = self.spawn();
        let address = Address::new(process.says("where it listens", listens_on));
        Serve { process, address }
    }
}

impl Serve {
    /// A client of it.
    pub fn client(&self) -> Http {
        Http::new(self.address.clone())
    }
}

/// The address in a line that says where a server listens.
pub fn listens_on(line: &str) -> Option<SocketAddr> {
    let start = line.find("127.0.0.1:")?;
    let text: String = line[start..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
        .collect();
    text.trim_end_matches(['.', ':'])
        .parse()
        .ok()
        .filter(|at: &SocketAddr| at.port() != 0)
}
