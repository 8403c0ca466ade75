//! A directory in which the real binary runs, and a reader of what it leaves there.

mod check;
mod process;
mod terminal;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

pub use check::{check, ends, is_terminal};
pub use process::{Ran, Running, is_running};
pub use terminal::Terminal;

/// Longer than anything here takes; what waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for one test.
pub struct World {
    dir: TempDir,
}

/// One line of an events file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub at_ms: u64,
    pub task: String,
    pub event: String,
    pub attempt: u64,
    pub reason: Option<String>,
}

impl World {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    /// With this workflow in `w.yaml`.
    pub fn with(text: &str) -> Self {
        let world = Self::new();
        world.write("w.yaml", text);
        world
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_russet"));
        command
            .arg("run")
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RUSSET_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// `russet run`, to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().expect("runs"))
    }

    /// As [`Self::run`], on a disk that has no room for files beyond this many blocks of 512 bytes.
    pub fn run_within(&self, blocks: u64, arguments: &[&str]) -> Ran {
        let unlimited = self.command(arguments);
        let limited = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &limited])
            .arg(unlimited.get_program())
            .args(unlimited.get_args())
            .current_dir(self.dir.path());
        for (name, value) in unlimited.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ran::from(command.output().expect("runs"))
    }

    /// `russet run`, to its end, where nobody reads what it says; its exit status.
    pub fn run_unread(&self, arguments: &[&str]) -> Option<i32> {
        let closed = || {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            Stdio::from(writer)
        };
        let mut command = self.command(arguments);
        let ended = command.stdout(closed()).stderr(closed()).status();
        ended.expect("runs").code()
    }

    /// `russet run` with this on its standard input, to its end.
    pub fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("starts");
        // Who refuses the command line does not read.
        let _ = child
            .stdin
            .take()
            .expect("an input")
            .write_all(input.as_bytes());
        Ran::from(child.wait_with_output().expect("runs"))
    }

    /// `russet run`, while the test goes on.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::from(self.command(arguments).spawn().expect("starts"))
    }

    /// `russet run` in a terminal of this many columns, while the test goes on.
    pub fn start_in_terminal(&self, columns: u16, arguments: &[&str]) -> Terminal {
        Terminal::start(self.command(arguments), columns)
    }

    /// The events in a file; a line that is still being written is left out.
    pub fn events(&self, name: &str) -> Vec<Event> {
        let text = self.read(name);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line: &str| serde_json::from_str(line).expect(line);
        whole.lines().map(parse).collect()
    }

    /// Waits until the content of a file is there.
    pub fn await_file(&self, name: &str) -> String {
        eventually(name, || {
            Some(self.read(name)).filter(|text| text.ends_with('\n'))
        })
    }
}

/// Waits until there is something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The folder of real inputs, where there is one.
pub fn data() -> Option<PathBuf> {
    std::env::var_os("RUSSET_DATA").map(PathBuf::from)
}

/// Numbers that look random and are the same every time.
pub struct Random(pub u64);

impl Random {
    /// SplitMix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
