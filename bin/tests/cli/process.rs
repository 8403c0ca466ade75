//! Runs the binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A command of the binary, without what the environment of the tests says.
pub fn russet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_russet"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RUSSET_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// An output that nobody reads any more.
pub fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("an exit status"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Ran {
    /// Standard output of a command that must have worked.
    pub fn good(&self) -> &str {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout.trim_end()
    }

    /// The one JSON document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The JSON lines on standard output.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    /// The problem on standard error.
    pub fn problem(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|_| panic!("no problem: {self:?}"))
    }

    /// Standard error of a command that must have ended with `status`.
    pub fn error(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        self.stderr.trim_end()
    }
}

/// A process that is ended with its owner.
pub struct Process {
    child: Child,
    _rest: Option<BufReader<ChildStdout>>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        command.spawn().expect("starts").into()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error, where that was asked for.
    pub fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("a pipe")
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill runs").success(), "no process {id}");
    }

    /// Whether it has come to its end.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_some()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> i32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code().unwrap_or(-1);
            }
            assert!(
                start.elapsed() < PATIENCE,
                "process {} does not end",
                self.id()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self { child, _rest: None }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `russet serve`, with a folder for its data and for files of the test.
pub struct Site {
    pub url: String,
    pub process: Process,
    pub folder: TempDir,
}

impl Site {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// A server whose command is changed by `more`.
    pub fn with(more: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (url, process) = serve(folder.path(), more);
        Self {
            url,
            process,
            folder,
        }
    }

    /// Ends the server with a signal and starts another on the same data at the same address.
    pub fn restart_in_place(&mut self, signal: &str) {
        self.restart_in_place_with(signal, |_| {});
    }

    /// As [`Self::restart_in_place`], with a command that is changed by `more`.
    pub fn restart_in_place_with(&mut self, signal: &str, more: impl FnOnce(&mut Command)) {
        self.process.signal(signal);
        self.process.wait();
        let listen = self.url.strip_prefix("http://").expect("an address");
        let (url, process) = serve_at(listen, self.folder.path(), more);
        (self.url, self.process) = (url, process);
    }

    /// Ends the server with a signal and starts another on the same data.
    pub fn restart(&mut self, signal: &str) {
        self.process.signal(signal);
        self.process.wait();
        let (url, process) = serve(self.folder.path(), |_| {});
        (self.url, self.process) = (url, process);
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait();
    }

    /// Starts the stopped server again with its data in another folder of the test.
    pub fn start_in(&mut self, folder: &str) {
        let folder = self.folder.path().join(folder);
        (self.url, self.process) = serve(&folder, |_| {});
    }

    /// A file of the test.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("is written");
        path
    }

    /// A command for this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = russet();
        command
            .args(arguments)
            .env("RUSSET_URL", &self.url)
            .current_dir(self.folder.path());
        command
    }

    /// Runs a command for this server.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().expect("runs").into()
    }

    /// Runs a command for this server with this standard input.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("runs");
        let mut stdin = child.stdin.take().expect("an input");
        stdin.write_all(input.as_bytes()).expect("is read");
        drop(stdin);
        child.wait_with_output().expect("ends").into()
    }

    /// Submits a task and returns its id.
    pub fn submit(&self, arguments: &[&str]) -> String {
        let all = [&["submit", "--quiet"], arguments].concat();
        self.run(&all).good().to_owned()
    }

    /// Starts a worker.
    pub fn worker(&self, arguments: &[&str]) -> Process {
        let mut command = self.command(&["worker"]);
        Process::spawn(command.args(arguments).stderr(Stdio::null()))
    }

    /// The task as JSON.
    pub fn task(&self, id: &str) -> Value {
        let ran = self.run(&["--json", "tasks", "get", id]);
        ran.good();
        ran.json()
    }
}

fn serve(folder: &Path, more: impl FnOnce(&mut Command)) -> (String, Process) {
    serve_at("127.0.0.1:0", folder, more)
}

fn serve_at(listen: &str, folder: &Path, more: impl FnOnce(&mut Command)) -> (String, Process) {
    let mut command = russet();
    command
        .args(["serve", "--listen", listen])
        .env("RUSSET_DATA_DIR", folder.join("data"));
    command
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    more(&mut command);
    let mut child = command.spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("says where it listens");
    let url = line
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split(',').next());
    let url = url.unwrap_or_else(|| panic!("{line:?}")).to_owned();
    let rest = Some(stdout);
    (url, Process { child, _rest: rest })
}

/// Waits until a file that a command of a task writes is there, and returns its text.
pub fn appears(path: &Path) -> String {
    let start = Instant::now();
    loop {
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        if read.is_ok() && text.ends_with('\n') {
            return text.trim_end().to_owned();
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{} does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no process of this id runs.
pub fn disappears(pid: &str) {
    let start = Instant::now();
    loop {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = state.rsplit(')').next().unwrap_or_default().trim_start();
        if state.is_empty() || state.starts_with('Z') {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "process {pid} goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
