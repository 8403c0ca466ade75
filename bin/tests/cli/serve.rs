use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{PATIENCE, Process, Ran, Site, closed, russet};

fn refused(arguments: &[&str], more: impl FnOnce(&mut Command)) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = russet();
    command
        .arg("serve")
        .args(arguments)
        .current_dir(folder.path());
    more(&mut command);
    command.output().expect("runs").into()
}

#[test]
fn waiting_goes_on_while_the_server_is_restarted() {
    for signal in ["KILL", "TERM"] {
        let mut site = Site::start();
        let workflow = r#"{"name": "w", "tasks": [{"name": "a", "type": "a"}]}"#;
        site.file("w.json", workflow);
        let commands: [&[&str]; 2] = [
            &["submit", "--type", "a", "--wait"],
            &["workflows", "submit", "w.json", "--wait"],
        ];
        let mut waiting: Vec<_> = commands
            .map(|arguments| {
                let mut command = site.command(arguments);
                let mut process = Process::spawn(command.stderr(Stdio::piped()));
                let mut said = BufReader::new(process.stderr()).lines();
                let line = said.next().expect("a line").expect("text");
                assert!(line.ends_with("submitted, waiting for its end"), "{line}");
                (process, said)
            })
            .into();
        site.restart_in_place(signal);
        let _worker = site.worker(&["--exec", "true"]);
        for (process, said) in &mut waiting {
            assert_eq!(process.wait(), 0);
            let said: Vec<_> = said.map(|line| line.expect("text")).collect();
            let away = "warning: the server is away; waiting goes on";
            let only = |line: &String| line.starts_with(away);
            assert!(said.len() <= 1 && said.iter().all(only), "{said:?}");
        }
    }
}

#[test]
fn a_wait_for_what_ended_meanwhile_and_is_not_kept_does_not_say_that_it_failed() {
    let mut site = Site::start();
    let workflow = r#"{"tasks": [{"name": "a", "type": "a", "retention_ms": 0}]}"#;
    site.file("w.json", workflow);
    let task = site.submit(&["--type", "a", "--retention", "0s"]);
    let commands: [&[&str]; 3] = [
        &["tasks", "wait", &task],
        &["submit", "--type", "a", "--retention", "0s", "--wait"],
        &["workflows", "submit", "w.json", "--wait"],
    ];
    let waiting = commands.map(|arguments| {
        let mut command = site.command(arguments);
        let mut process = Process::spawn(command.stderr(Stdio::piped()));
        let mut said = BufReader::new(process.stderr()).lines();
        let what = match arguments[0] {
            "tasks" => format!("task {task}"),
            noun => {
                let line = said.next().expect("a line").expect("text");
                let id = line.split(' ').next().expect("an id");
                format!(
                    "{} {id}",
                    if noun == "submit" { "task" } else { "workflow" }
                )
            }
        };
        (process, said, what)
    });
    std::thread::sleep(Duration::from_millis(500));
    for (process, ..) in &waiting {
        process.signal("STOP");
    }
    // What they had asked is answered, and nobody hears of the end.
    site.restart_in_place("TERM");
    let _worker = site.worker(&["--exec", "true"]);
    let start = Instant::now();
    for (_, _, what) in &waiting {
        let (noun, id) = what.split_once(' ').expect("two words");
        while site.run(&[&format!("{noun}s"), "get", id]).status == 0 {
            assert!(start.elapsed() < PATIENCE, "{what} is still there");
        }
    }
    for (mut process, said, what) in waiting {
        process.signal("CONT");
        assert_eq!(process.wait(), 3);
        let said: Vec<_> = said.map(|line| line.expect("text")).collect();
        let last = said.last().expect("says why");
        let begin = format!("error: {what} has ended and is no longer kept: ");
        assert!(last.starts_with(&begin), "{said:?}");
    }
    let unknown = site.run(&["tasks", "wait", &task]);
    assert!(unknown.error(1).contains("there is no task"), "{unknown:?}");
}

#[test]
fn waiting_for_a_server_that_stays_away_ends_with_its_time() {
    let mut site = Site::start();
    let id = site.submit(&["--type", "a"]);
    let mut command = site.command(&["tasks", "wait", &id, "--timeout", "2s"]);
    let mut waiting = Process::spawn(command.stderr(Stdio::null()));
    std::thread::sleep(Duration::from_millis(500));
    site.stop();
    assert_eq!(waiting.wait(), 1);
}

#[test]
fn an_acknowledged_task_survives_a_stop_and_a_kill() {
    let mut site = Site::start();
    let first = site.submit(&["--type", "a", "--payload", "1"]);
    site.restart("TERM");
    let second = site.submit(&["--type", "a", "--payload", "2"]);
    site.restart("KILL");
    assert_eq!(site.task(&first)["payload"], 1);
    assert_eq!(site.task(&second)["payload"], 2);
}

#[test]
fn a_stopped_server_exits_well() {
    for signal in ["TERM", "INT"] {
        let mut site = Site::start();
        site.process.signal(signal);
        assert_eq!(site.process.wait(), 0, "{signal}");
    }
}

#[test]
fn a_public_address_needs_tokens() {
    let open = refused(&["--listen", "0.0.0.0:0"], |_| {});
    let error = open.error(2);
    assert!(
        error.contains("0.0.0.0:0") && error.contains("RUSSET_TOKENS"),
        "{error}"
    );
    let short = refused(&[], |command| {
        command.env("RUSSET_TOKENS", "secret");
    });
    assert!(
        short
            .error(2)
            .starts_with("error: tokens: token 1 is shorter"),
        "{short:?}"
    );
}

#[test]
fn a_server_with_tokens_serves_those_who_show_one() {
    let token = "0123456789abcdef0123456789abcdef";
    let site = Site::with(|command| {
        command.env("RUSSET_TOKENS", token);
    });
    let without = site.run(&["tasks", "list"]);
    assert!(without.error(1).contains("RUSSET_TOKEN"), "{without:?}");
    let wrong = site.run(&["--token", "another-token-altogether", "tasks", "list"]);
    assert!(wrong.error(1).contains("the token is wrong"), "{wrong:?}");
    assert_eq!(
        site.run(&["--token", token, "tasks", "list"]).good(),
        "no tasks"
    );
    let mut command = site.command(&["submit", "--type", "a"]);
    assert!(
        command
            .env("RUSSET_TOKEN", token)
            .output()
            .expect("runs")
            .status
            .success()
    );
}

#[test]
fn a_configuration_is_read_and_flags_go_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("russet.toml");
    std::fs::write(&file, "[server]\nlisten = \"nonsense\"\n").expect("is written");
    let file = file.to_str().expect("text");
    let wrong = refused(&["--config", file], |_| {});
    assert!(
        wrong.error(2).starts_with("error: listen: \"nonsense\""),
        "{wrong:?}"
    );
    Site::with(|command| {
        command.args(["--config", file]);
    });
    std::fs::write(file, "[server]\nlissten = \"127.0.0.1:0\"\n").expect("is written");
    let unknown = refused(&["--config", file], |_| {});
    let error = unknown.error(2);
    assert!(
        error.contains("line 2") && error.contains("lissten"),
        "{error}"
    );
    std::fs::write(file, "[server]\nmax_clock_skew_ms = 90000\n").expect("is written");
    let absurd = refused(&["--config", file], |_| {});
    let error = absurd.error(2);
    assert!(
        error.starts_with("error: max_clock_skew_ms: 90000"),
        "{error}"
    );
    let text = "[server]\nlisten = '127.0.0.1:0'\n[store]\npartitions = 0\n";
    std::fs::write(file, text).expect("is written");
    let none = refused(&["--config", file], |_| {});
    assert_eq!(
        none.error(2),
        "error: [store] partitions is 0: set it to 1 to 4096"
    );
    let missing = refused(&["--config", "nowhere.toml"], |_| {});
    assert!(
        missing
            .error(2)
            .contains("cannot read the configuration nowhere.toml")
    );
}

#[test]
fn a_lease_is_expired_by_as_much_later_as_clocks_may_be_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("russet.toml");
    let skew = Duration::from_secs(3);
    let text = format!("[server]\nmax_clock_skew_ms = {}\n", skew.as_millis());
    std::fs::write(&file, text).expect("is written");
    let site = Site::with(|command| {
        command.arg("--config").arg(&file);
    });
    let task = r#"{"type": "a", "visibility_timeout_ms": 200}"#;
    let submitted = site.feed(&["--quiet", "submit", "--file", "-"], task);
    let id = submitted.good().to_owned();
    let mut worker = site.worker(&["--exec", "sleep 60"]);
    let wait_while = |running: bool| {
        while (site.task(&id)["status"] == "running") == running {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_while(false);
    worker.signal("KILL");
    worker.wait();
    let killed = Instant::now();
    wait_while(true);
    assert!(killed.elapsed() >= skew - Duration::from_millis(100));
}

#[test]
fn a_store_in_memory_leaves_nothing_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("russet.toml");
    std::fs::write(&file, "[store]\nbackend = \"memory\"\npartitions = 4\n").expect("is written");
    let site = Site::with(|command| {
        command.arg("--config").arg(&file);
    });
    let id = site.submit(&["--type", "a"]);
    assert_eq!(site.task(&id)["status"], "queued");
    assert!(!site.folder.path().join("data").exists());
}

#[test]
fn a_data_directory_in_use_or_damaged_is_refused_with_what_to_do() {
    let site = Site::start();
    let data = site.folder.path().join("data");
    let data = data.to_str().expect("text");
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", data];
    let locked = refused(&arguments, |_| {});
    assert!(
        locked.error(2).contains("in use by another process"),
        "{locked:?}"
    );
    let file = site.file("file", "not a directory");
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        file.to_str().expect("text"),
    ];
    let wrong = refused(&arguments, |_| {});
    assert!(wrong.error(2).contains("cannot be used"), "{wrong:?}");
}

#[test]
fn a_server_whose_address_is_taken_makes_and_touches_no_store() {
    let site = Site::start();
    let address = site.url.strip_prefix("http://").expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let own = site.folder.path().join("data");
    for data in [folder.path().join("data"), own] {
        let data = data.to_str().expect("text");
        let second = refused(&["--listen", address, "--data-dir", data], |_| {});
        let error = second.error(1);
        let start = format!("error: cannot listen on {address}: Address already in use");
        let remedy = "choose another address with --listen or [server] listen";
        assert!(error.contains(&start) && error.contains(remedy), "{error}");
    }
    assert!(!folder.path().join("data").exists());
    assert_eq!(site.run(&["tasks", "list"]).good(), "no tasks");
}

#[test]
fn a_data_directory_that_the_store_has_no_use_for_is_refused_as_a_flag_and_else_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["config", "show"],
    ] {
        let mut russet = russet();
        russet
            .args(command)
            .args(["--data-dir", "jobs", "--set", "store.backend=memory"])
            .current_dir(folder.path());
        let ran = Ran::from(russet.output().expect("runs"));
        let error = ran.error(2).lines().last().unwrap_or_default();
        let expected = "error: --data-dir: nothing is kept in jobs, since [store] backend is \"memory\": leave --data-dir out, or set the backend to \"embedded\"";
        assert_eq!(error, expected);
    }
    let log = folder.path().join("log");
    let to = std::fs::File::create(&log).expect("is made");
    let mut site = Site::with(|command| {
        command.args(["--set", "store.backend=memory"]).stderr(to);
    });
    site.stop();
    let said = std::fs::read_to_string(log).expect("text");
    let warning = "[store] data_dir is not used: backend is not \"embedded\"";
    assert!(said.contains(warning), "{said}");
}

#[test]
fn the_data_directory_of_a_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("w.yaml");
    std::fs::write(&file, "tasks: {a: {run: 'true'}}").expect("is written");
    let data = folder.path().join("data");
    let data = data.to_str().expect("text");
    let mut run = russet();
    let run = run.arg("run").arg(&file).args(["--data-dir", data]);
    Ran::from(run.output().expect("runs")).good();
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", data];
    let refused = refused(&arguments, |_| {});
    assert!(
        refused
            .error(2)
            .contains("is the data directory of a `russet run`: name another one"),
        "{refused:?}"
    );
}

#[test]
fn a_log_filter_that_cannot_be_is_refused() {
    let bad = refused(&[], |command| {
        command.env("RUSSET_LOG", "a=b=c");
    });
    let expected = "error: RUSSET_LOG=\"a=b=c\" is not a filter";
    assert!(bad.error(2).starts_with(expected), "{bad:?}");
    let no_level = refused(&[], |command| {
        command.env("RUSSET_LOG", "verbose");
    });
    let expected = "error: RUSSET_LOG=\"verbose\": \"verbose\" is not a level: write error, warn, info, debug, trace or off, or a level for a part, ";
    assert!(no_level.error(2).starts_with(expected), "{no_level:?}");
    let mut site = Site::with(|command| {
        command.env("RUSSET_LOG", "russet_engine=debug,info");
    });
    site.stop();
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_server_whose_outputs_nobody_reads_serves_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = russet();
    command
        .args(["serve", "--listen", &address, "--data-dir", "data"])
        .current_dir(folder.path())
        .stdout(closed())
        .stderr(closed());
    let mut server = Process::spawn(&mut command);
    let start = Instant::now();
    loop {
        let mut list = russet();
        list.args(["--url", &format!("http://{address}"), "tasks", "list"]);
        if list.output().expect("runs").status.success() {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "the server does not answer");
    }
    server.signal("TERM");
    assert_eq!(server.wait(), 0);
}
