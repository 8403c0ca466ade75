use std::path::Path;
use std::process::Command;

use russet_servers::Process;

/// Partitions of every store here.
pub const PARTITIONS: u16 = 2;

/// `russet serve` processes on one store.
pub struct Nodes {
    settings: Vec<String>,
    url: String,
    processes: Vec<Process>,
}

impl Nodes {
    /// Starts nodes on the Redis of this address, with more settings.
    pub fn start(count: usize, url: &str, settings: &[&str]) -> Self {
        let mut all = vec![
            "store.backend=redis".to_owned(),
            format!("store.partitions={PARTITIONS}"),
            "redis.timeout_ms=1000".to_owned(),
        ];
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        let start = |_| Process::start(|folder, port| serve(url, &all, folder, port));
        Self {
            processes: (0..count).map(start).collect(),
            settings: all,
            url: url.to_owned(),
        }
    }

    /// Where they answer.
    pub fn urls(&self) -> Vec<String> {
        let url = |process: &Process| format!("http://127.0.0.1:{}", process.port());
        self.processes.iter().map(url).collect()
    }

    /// Ends one as `kill -9` does.
    pub fn kill(&mut self, at: usize) {
        self.processes[at].kill();
    }

    /// Starts one again that was killed, or kills it before.
    pub fn restart(&mut self, at: usize) {
        let Self {
            settings,
            url,
            processes,
        } = self;
        processes[at].restart(|folder, port| serve(url, settings, folder, port));
    }
}

fn serve(url: &str, settings: &[String], folder: &Path, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_russet"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RUSSET_") {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.env("RUSSET_REDIS_URL", url).current_dir(folder);
    command
}
