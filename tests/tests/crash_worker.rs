//! `russet worker --exec` is killed, and what it ran runs again elsewhere; asked to stop, it
//! finishes what it runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use russet_tests::{Chance, Http, Process, Serve, Settings, eventually, within};
use serde_json::{Value, json};
use tempfile::TempDir;

const RUSSET: &str = env!("CARGO_BIN_EXE_russet-under-test");
/// How long what is killed may still be seen.
const SOON: Duration = Duration::from_secs(5);

/// A server, and a file in which every command notes what it is.
struct House {
    server: Serve,
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("makes a folder");
        let server = Settings::new(RUSSET, &folder.path().join("data")).start();
        Self { server, folder }
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    /// A worker that notes task, attempt and process of each command, and then does `script`.
    fn worker(&self, script: &str, more: &[&str]) -> Process {
        let notes = self.notes();
        let exec = format!(
            "echo \"$RUSSET_TASK_ID $RUSSET_ATTEMPT $$\" >> {}; {script}",
            notes.display()
        );
        let url = format!("http://{}", self.server.address.get());
        let mut command = Command::new(RUSSET);
        command
            .args(["worker", "--url", &url, "--shell", "--exec", &exec])
            .args(more);
        Process::start(&mut command)
    }

    /// Task, attempt and process of every command so far.
    fn started(&self) -> Vec<(String, u64, u32)> {
        let notes = fs::read_to_string(self.notes()).unwrap_or_default();
        let words = notes
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let number = |text: &str| text.parse::<u64>().expect("is a number");
        let started = words.map(|w| (w[0].to_owned(), number(w[1]), number(w[2]) as u32));
        started.collect()
    }

    fn has_started(&self, count: usize) -> Vec<(String, u64, u32)> {
        eventually("commands start", || {
            let started = self.started();
            (started.len() >= count).then_some(started)
        })
    }

    fn submit(&self, count: usize, task: &Value) -> Vec<String> {
        let tasks = json!({"tasks": vec![task; count]});
        let reply = self
            .client()
            .post("/v1/tasks", &tasks)
            .expect("answers")
            .good();
        let ids = reply["results"].as_array().expect("one for each").iter();
        ids.map(|result| result["task"].as_str().expect("was accepted").to_owned())
            .collect()
    }

    fn client(&self) -> Http {
        self.server.client()
    }

    fn task(&self, id: &str) -> Value {
        self.client()
            .get(&format!("/v1/tasks/{id}"))
            .expect("answers")
            .good()
    }

    /// The tasks, once all of them have succeeded.
    fn succeeded(&self, ids: &[String]) -> Vec<Value> {
        eventually("the tasks succeed", || {
            let tasks: Vec<_> = ids.iter().map(|id| self.task(id)).collect();
            tasks
                .iter()
                .all(|task| task["status"] == "succeeded")
                .then_some(tasks)
        })
    }
}

fn lives(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A dead process that its parent has not looked at is a zombie.
    state
        .rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[test]
fn what_a_killed_worker_ran_runs_again_elsewhere_when_its_leases_end() {
    let house = House::new();
    let task = json!({
        "type": "t", "visibility_timeout_ms": 1_000, "retry": {"backoff_ms": 1}, "max_retries": 1,
    });
    let ids = house.submit(4, &task);
    let mut first = house.worker("sleep 60", &["--concurrency", "4"]);
    house.has_started(4);
    first.kill();

    let _second = house.worker("echo '\"well\"'", &["--concurrency", "4"]);
    for task in house.succeeded(&ids) {
        assert_eq!(
            (&task["attempt"], &task["retry_count"]),
            (&json!(2), &json!(1)),
            "{task}"
        );
        assert_eq!(task["last_error"]["kind"], "lease_expired", "{task}");
        assert_eq!(task["result"], "well", "{task}");
    }
    assert_eq!(house.started().len(), 8, "each ran once on each worker");
}

/// Each worker is killed at once when its commands have begun.
#[test]
fn no_command_outlives_its_worker() {
    let house = House::new();
    for round in 0..40 {
        house.submit(4, &json!({"type": "t"}));
        let mut worker = house.worker("sleep 60", &["--concurrency", "4"]);
        let started = house.has_started((round + 1) * 4).split_off(round * 4);
        worker.kill();
        for (task, _, process) in started {
            let gone = within(SOON, || (!lives(process)).then_some(()));
            assert!(
                gone.is_some(),
                "round {round}: the command of {task} lives on"
            );
        }
    }
}

#[test]
fn a_worker_that_is_asked_to_stop_finishes_what_it_runs_and_takes_no_more() {
    let house = House::new();
    let ids = house.submit(6, &json!({"type": "t"}));
    let first = house.worker("sleep 1", &["--concurrency", "3"]);
    house.has_started(3);
    first.terminate();
    let (status, said) = first.end();
    assert!(status.success(), "{status}: {said}");
    let started = house.started();
    assert_eq!(started.len(), 3, "it took more: {started:?}\n{said}");
    for id in &ids {
        let ran = started.iter().any(|(task, _, _)| task == id);
        let status = if ran { "succeeded" } else { "queued" };
        assert_eq!(house.task(id)["status"], status, "{said}");
    }

    let _second = house.worker("true", &["--concurrency", "3"]);
    let tasks = house.succeeded(&ids);
    assert_eq!(
        house.started().len(),
        6,
        "a task ran twice: {:?}",
        house.started()
    );
    assert!(tasks.iter().all(|task| task["attempt"] == 1), "{tasks:?}");
}

#[test]
fn what_a_stopping_worker_cannot_finish_runs_elsewhere_at_once() {
    let house = House::new();
    let ids = house.submit(
        2,
        &json!({"type": "t", "visibility_timeout_ms": 600_000, "retry": {"backoff_ms": 1}}),
    );
    let first = house.worker(
        "sleep 60",
        &["--concurrency", "2", "--drain", "100ms", "--grace", "1s"],
    );
    let started = house.has_started(2);
    first.terminate();
    first.end();
    for (_, _, process) in started {
        assert!(!lives(process), "a command outlives its worker");
    }
    let _second = house.worker("true", &["--concurrency", "2"]);
    for task in house.succeeded(&ids) {
        assert_eq!(task["attempt"], 2, "{task}");
    }
}

#[test]
fn one_holder_and_bounded_retry_while_workers_are_killed_over_and_over() {
    let mut chance = Chance::new(Chance::seed_from("RUSSET_CRASH_SEED"));
    let house = House::new();
    let task = json!({
        "type": "t", "visibility_timeout_ms": 500, "retry": {"backoff_ms": 1}, "max_retries": 20,
    });
    let ids = house.submit(60, &task);
    let worker = || house.worker("sleep 0.1; echo $RUSSET_ATTEMPT", &["--concurrency", "4"]);
    let mut workers = [worker(), worker()];
    for kill in 1..=8 {
        // Each worker gets on with it before it is killed.
        house.has_started(kill * 5);
        let at = chance.below(2) as usize;
        workers[at].kill();
        workers[at] = worker();
    }
    let tasks = house.succeeded(&ids);
    let mut attempts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (task, attempt, _) in house.started() {
        attempts.entry(task).or_default().push(attempt);
    }
    for task in tasks {
        let id = task["id"].as_str().expect("has an id");
        let mut tokens = attempts[id].clone();
        tokens.sort_unstable();
        let count = tokens.len();
        tokens.dedup();
        assert_eq!(
            tokens.len(),
            count,
            "{id}: a token was granted twice: {:?}",
            attempts[id]
        );
        assert_eq!(tokens.last(), task["attempt"].as_u64().as_ref(), "{id}");
        assert_eq!(
            task["result"], task["attempt"],
            "the newest token finished it: {task}"
        );
        let retries = task["retry_count"].as_u64().expect("is a number");
        assert!(
            retries < task["attempt"].as_u64().expect("is a number"),
            "{task}"
        );
    }
}
