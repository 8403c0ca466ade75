use crate::process::{Ran, closed, russet};

fn run(arguments: &[&str]) -> Ran {
    russet().args(arguments).output().expect("runs").into()
}

#[test]
fn every_command_has_a_help() {
    for command in [
        "run",
        "serve",
        "worker",
        "submit",
        "tasks",
        "queues",
        "workflows",
        "events",
        "bench",
        "completions",
    ] {
        let ran = run(&[command, "--help"]);
        assert!(ran.good().contains("Usage: russet"), "{command}: {ran:?}");
    }
    let ran = run(&["--help"]);
    assert!(ran.good().contains("Exit status: 0"), "{ran:?}");
    assert!(!ran.good().contains("__guard"), "{ran:?}");
}

#[test]
fn the_help_of_the_worker_documents_the_exit_statuses() {
    let ran = run(&["worker", "--help"]);
    for text in ["EX_DATAERR", "EX_TEMPFAIL", "RUSSET_DEADLINE", "SIGKILL"] {
        assert!(ran.good().contains(text), "no {text}");
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]);
        assert!(ran.good().contains("workflows"), "{shell}");
    }
    assert!(
        run(&["completions", "basic"])
            .error(2)
            .contains("possible values")
    );
}

#[test]
fn completions_that_nobody_reads_to_the_end_are_no_error() {
    let mut command = russet();
    command.args(["completions", "bash"]).stdout(closed());
    let ran = Ran::from(command.output().expect("runs"));
    assert_eq!((ran.good(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn an_error_that_nobody_reads_keeps_its_exit_status() {
    for (arguments, status) in [
        (&["tasks", "list", "--url", "http://127.0.0.1:1"][..], 1),
        (&["taks"], 2),
        (&["--json", "taks"], 2),
    ] {
        let mut command = russet();
        command.args(arguments).stderr(closed());
        let ran = Ran::from(command.output().expect("runs"));
        assert_eq!(ran.status, status, "{arguments:?}");
    }
}

#[test]
fn a_command_line_that_lacks_something_is_told_every_way_to_give_it() {
    let redrive = run(&["tasks", "redrive"]);
    assert!(redrive.error(2).contains("<IDS|--all>"), "{redrive:?}");
    let submit = run(&["submit"]);
    let told = submit.error(2);
    assert!(told.contains("--type") && told.contains("--file"), "{told}");
}

#[test]
fn a_group_of_commands_shows_its_help_whatever_the_options_and_the_environment_say() {
    let groups: [&[&str]; 5] = [&[], &["tasks"], &["queues"], &["workflows"], &["config"]];
    for group in groups {
        let help = run(&[group, &["--help"]].concat()).good().to_owned();
        let usage = help.lines().find(|line| line.starts_with("Usage: "));
        let alone = run(group);
        let with_an_option = run(&[&["--quiet"], group].concat());
        let mut command = russet();
        command.env("RUSSET_URL", "http://127.0.0.1:1").args(group);
        let with_a_variable = Ran::from(command.output().expect("runs"));
        for ran in [alone, with_an_option, with_a_variable] {
            let said = ran.error(2);
            assert!(said.contains(usage.expect("a usage")), "{said}");
            assert!(said.contains("\nCommands:\n"), "{said}");
            assert!(
                !said.starts_with("error") && !said.contains("__guard"),
                "{said}"
            );
            assert_eq!(ran.stdout, "");
        }
        let problem = run(&[&["--json"], group].concat()).problem();
        let detail = problem["detail"].as_str().expect("a text");
        let start = [&["russet"], group].concat().join(" ") + " needs one of its commands: ";
        assert!(detail.starts_with(&start), "{detail}");
    }
}

#[test]
fn an_unknown_command_is_bad_input() {
    assert!(run(&["taks"]).error(2).contains("tasks"));
    assert_eq!(run(&["--json", "taks"]).problem()["code"], "usage");
}

#[test]
fn a_negative_number_is_told_what_it_may_be() {
    let cases: [(&[&str], &str); 6] = [
        (&["run", "w.yaml", "--concurrency", "-1"], "1 to 10000"),
        (&["submit", "-t", "x", "--max-retries", "-1"], "0 to 10000"),
        (&["submit", "-t", "x", "--priority", "-1"], "0 to 9"),
        (
            &["worker", "--exec", "x", "--concurrency", "-1"],
            "1 to 10000",
        ),
        (
            &["tasks", "list", "--limit", "-1"],
            "a number of tasks from 1 on",
        ),
        (
            &["queues", "configure", "q", "--concurrency", "-1"],
            "1 to 1000000, or none",
        ),
    ];
    for (arguments, range) in cases {
        let ran = run(arguments);
        let said = ran.error(2);
        assert!(said.contains("invalid value '-1'"), "{said}");
        assert!(said.contains(range), "{said}");
    }
}
