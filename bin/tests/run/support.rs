//! A directory in which the real binary runs, and a reader of what it leaves there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use russet_cli::workflow::{self, On, Workflow};
use serde::Deserialize;
use tempfile::TempDir;

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

/// The line that `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub workflow: String,
    pub tasks: usize,
    pub succeeded: usize,
    pub dead: usize,
    pub cancelled: usize,
    pub attempts: u64,
    pub makespan_ms: u64,
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

    /// `russet run`, while the test goes on.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::from(self.command(arguments).spawn().expect("starts"))
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
        eventually(name, || Some(self.read(name)).filter(|text| text.ends_with('\n')))
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

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Checks the exit status.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// What `--json` printed, which is all of standard output.
    #[track_caller]
    pub fn totals(&self) -> Totals {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).expect("totals")
    }

    /// Checks that it was refused with this message.
    #[track_caller]
    pub fn refused(self, message: &str) {
        let ran = self.ended(2);
        assert_eq!(ran.stderr, format!("error: {message}\n"));
        assert_eq!(ran.stdout, "");
    }
}

/// A command that is running.
pub struct Running {
    child: KilledAtLast,
    stderr: Option<BufReader<ChildStderr>>,
}

impl From<Child> for Running {
    fn from(mut child: Child) -> Self {
        let stderr = child.stderr.take().map(BufReader::new);
        Self {
            child: KilledAtLast(child),
            stderr,
        }
    }
}

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.0.id()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, signal).expect("is running");
    }

    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().expect("waits").is_some()
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.0.kill().expect("is killed");
        self.child.0.wait().expect("waits");
    }

    /// Reads standard error up to a line that holds this.
    pub fn await_line(&mut self, wanted: &str) -> String {
        let stderr = self.stderr.as_mut().expect("standard error");
        let mut read = String::new();
        loop {
            let mut line = String::new();
            let count = stderr.read_line(&mut line).expect("reads");
            assert!(count > 0, "{wanted:?} was not said, but {read:?}");
            if line.contains(wanted) {
                return line;
            }
            read.push_str(&line);
        }
    }

    /// Waits for the end. What was read of standard error before is not part of it.
    pub fn end(mut self) -> Ran {
        let mut stderr = Vec::new();
        if let Some(mut rest) = self.stderr.take() {
            std::io::Read::read_to_end(&mut rest, &mut stderr).expect("reads");
        }
        let mut stdout = Vec::new();
        if let Some(mut rest) = self.child.0.stdout.take() {
            std::io::Read::read_to_end(&mut rest, &mut stdout).expect("reads");
        }
        let status = self.child.0.wait().expect("waits");
        Ran::from(Output { status, stdout, stderr })
    }
}

/// A process that no failed test leaves behind.
struct KilledAtLast(Child);

impl Drop for KilledAtLast {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process is there and not just a remainder that nobody has waited for.
pub fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

pub fn is_terminal(event: &Event) -> bool {
    ["succeeded", "dead_lettered", "cancelled"].contains(&event.event.as_str())
}

/// The last event of each task.
pub fn ends(events: &[Event]) -> BTreeMap<&str, &Event> {
    events.iter().map(|event| (event.task.as_str(), event)).collect()
}

/// Checks that the events of a finished run make sense: the life of each task begins once, goes
/// on attempt by attempt, and ends once; and no task starts before what it depends on allows.
#[track_caller]
pub fn check(workflow: &Workflow, events: &[Event]) {
    let mut lives: BTreeMap<&str, Vec<(usize, &Event)>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        lives.entry(&event.task).or_default().push((at, event));
    }
    assert_eq!(lives.len(), workflow.tasks.len());
    for life in lives.values() {
        check_life(life);
    }
    for task in &workflow.tasks {
        let starts = lives[task.name.as_str()].iter();
        let start = starts.clone().find(|(_, event)| event.event == "leased");
        let Some((start, _)) = start else { continue };
        for edge in &task.depends_on {
            let parent = &lives[workflow.tasks[edge.task].name.as_str()];
            let (end, event) = parent.last().expect("has events");
            assert!(end < start, "{} started before {} ended", task.name, event.task);
            let satisfied = match edge.on {
                On::Success => event.event == "succeeded",
                On::Completion => true,
                On::Failure => event.event != "succeeded",
            };
            let runs_anyway = task.if_unsatisfied == workflow::IfUnsatisfied::Run;
            assert!(satisfied || runs_anyway, "{} started after {event:?}", task.name);
        }
    }
}

fn check_life(life: &[(usize, &Event)]) {
    let kinds: Vec<_> = life.iter().map(|(_, event)| event.event.as_str()).collect();
    let count = |wanted: &str| kinds.iter().filter(|kind| **kind == wanted).count();
    assert_eq!((kinds[0], count("submitted")), ("submitted", 1), "{life:?}");
    let terminal = life.iter().filter(|(_, event)| is_terminal(event)).count();
    assert_eq!(terminal, 1, "{life:?}");
    assert!(life.last().is_some_and(|(_, event)| is_terminal(event)), "{life:?}");
    let leased = life.iter().filter(|(_, event)| event.event == "leased");
    let attempts: Vec<_> = leased.map(|(_, event)| event.attempt).collect();
    let expected: Vec<_> = (1..=attempts.len() as u64).collect();
    assert_eq!(attempts, expected, "{life:?}");
    assert!(life.is_sorted_by_key(|(_, event)| event.attempt), "{life:?}");
    assert!(life.is_sorted_by_key(|(_, event)| event.at_ms), "{life:?}");
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
