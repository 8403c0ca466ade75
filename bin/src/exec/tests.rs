use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::*;

async fn shell(text: &str, job: Job) -> Ran {
    let program = Program::shell(text).expect("a command");
    run(&program, job, None, pending()).await.expect("runs")
}

#[tokio::test]
async fn a_command_reads_its_input_and_its_variables() {
    let job = Job {
        input: "payload".into(),
        environment: vec![("RUSSET_TASK_ID".into(), "t1".into())],
        ..Job::default()
    };
    let ran = shell(
        "cat; printf ' %s' $RUSSET_TASK_ID; echo bad >&2; exit 3",
        job,
    )
    .await;
    assert_eq!(ran.stdout, b"payload t1");
    assert_eq!(ran.stderr, "bad");
    assert_eq!(ran.status.code(), Some(3));
}

#[tokio::test]
async fn a_command_that_ignores_a_large_input_still_ends_well() {
    let job = Job {
        input: vec![b'x'; 1 << 20].into(),
        ..Job::default()
    };
    assert!(shell("exit 0", job).await.status.success());
}

#[tokio::test]
async fn output_beyond_the_bound_is_counted_and_dropped() {
    let ran = shell("head -c 3000000 /dev/zero", Job::default()).await;
    assert_eq!(ran.stdout.len(), limits::STDOUT_BYTES);
    assert_eq!(ran.stdout_total, 3_000_000);
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it() {
    let start = Instant::now();
    let ran = shell("sleep 60 & echo $!", Job::default()).await;
    let left = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    while is_running(&left) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "process {left} is still there"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_command_that_is_asked_to_stop_gets_sigterm_and_then_sigkill() {
    let obeys = Program::shell("trap 'echo bye; exit 9' TERM; sleep 60 & wait").expect("a command");
    let job = Job {
        grace: Duration::from_secs(30),
        ..Job::default()
    };
    let ran = run(&obeys, job, None, after_start()).await.expect("runs");
    assert_eq!((ran.stopped, ran.status.code()), (true, Some(9)));

    let ignores = Program::shell("trap '' TERM; sleep 60").expect("a command");
    let job = Job {
        grace: Duration::from_millis(50),
        ..Job::default()
    };
    let ran = run(&ignores, job, None, after_start()).await.expect("runs");
    assert_eq!((ran.stopped, ran.status.signal()), (true, Some(9)));
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_an_error() {
    let program = Program::words("/no/such/program").expect("a command");
    let error = run(&program, Job::default(), None, pending()).await;
    assert_eq!(
        error.map(|_| ()).map_err(|error| error.kind()),
        Err(std::io::ErrorKind::NotFound)
    );
}

/// Long enough for a shell to have set its traps.
async fn after_start() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

fn is_running(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = state.rsplit(')').next().unwrap_or_default().trim();
    !state.is_empty() && !state.starts_with('Z')
}
