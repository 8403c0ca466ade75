//! What `cargo sim` says to those who use it wrongly. This build is not a simulated one.

use std::process::{Command, Output};

fn sim(args: &[&str], flags: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_russet-sim"));
    command.args(args);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    if let Some(flags) = flags {
        command.env("RUSTFLAGS", flags);
    }
    command.output().expect("it runs")
}

fn refusal(args: &[&str], flags: Option<&str>) -> String {
    let output = sim(args, flags);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[cfg(not(madsim))]
#[test]
fn a_build_that_cannot_simulate_says_so_and_names_what_kept_the_flag_away() {
    let plain = refusal(&["run"], None);
    assert!(plain.contains("Start it as `cargo sim"), "{plain}");
    assert!(!plain.contains("RUSTFLAGS"), "{plain}");
    let overridden = refusal(&["run"], Some("-C debuginfo=1"));
    assert!(
        overridden.contains("The variable RUSTFLAGS is set"),
        "{overridden}"
    );
}

#[test]
fn unknown_seeds_worlds_and_bugs_are_refused_with_the_choices() {
    let seeds = refusal(&["run", "--seeds", "9..3"], None);
    assert!(seeds.contains("0..500"), "{seeds}");
    let world = refusal(&["replay", "1", "--world", "postgres"], None);
    assert!(world.contains("memory, embedded, redis, sqs"), "{world}");
    let bug = refusal(&["bugs", "nothing"], None);
    assert!(bug.contains("any-lease-completes"), "{bug}");
}
