//! Stories of tasks, one a text file beside this one, told in lines of given, when and then.
//! `stage.rs` says which lines there are.

mod asks;
mod line;
mod look;
mod pieces;
mod stage;
#[allow(dead_code, reason = "scenarios look at single tasks only")]
#[path = "../properties/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn play(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).expect("a scenario");
    let mut stage = stage::Stage::default();
    let mut keyword = "";
    for (at, text) in text.lines().enumerate() {
        let told = line::read(text, &mut keyword).and_then(|line| stage.play(line));
        if let Err(problem) = told {
            panic!("{}:{}: {text}\n    {problem}", path.display(), at + 1);
        }
    }
    stage
        .curtain()
        .unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            play(stringify!($name));
        })*

        #[test]
        fn every_scenario_in_the_folder_is_played() {
            let files = std::fs::read_dir(folder()).expect("the folder");
            let paths = files.map(|file| file.expect("a file").path());
            let texts = paths.filter(|path| path.extension().is_some_and(|ext| ext == "txt"));
            let stems = texts.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
            let known = [$(stringify!($name)),*].map(str::to_owned);
            assert_eq!(stems.collect::<BTreeSet<_>>(), BTreeSet::from(known));
        }
    };
}

scenarios! {
    across_partitions
    cancelling
    cycles
    dependencies
    expiry
    follow_ups
    idempotency
    large_workflows
    leases_and_timeouts
    limits_and_pauses
    priorities
    progress
    purging
    redriving
    redriving_workflows
    refusals
    retries
    snoozing
}
