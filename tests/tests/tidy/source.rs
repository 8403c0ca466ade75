//! What stands in source files, and what does not.

use crate::tree::{self, File};

/// Longest Rust file; most are far below.
const LINES: usize = 450;

#[test]
fn no_file_is_too_long_to_be_one_room() {
    let files = tree::ending(".rs").into_iter();
    let long = files.map(|file| (file.text.lines().count(), file.path));
    let long = long.filter(|(lines, _)| *lines > LINES);
    tree::none(long.map(|(lines, path)| format!("{path} has {lines} lines, more than {LINES}")));
}

#[test]
fn no_unfinished_code_is_left_behind() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("d", "bg!("),
        concat!("#[ig", "nore"),
    ];
    tree::none(
        tree::ending(".rs")
            .iter()
            .flat_map(|file| lines_with(file, &words)),
    );
}

#[test]
fn code_that_ships_does_not_unwrap() {
    let files = tree::files();
    let unwraps = |file: &File| {
        let lines = file.shipped_lines();
        let lines = lines.filter(|(_, line)| code(line).contains(".unwrap()"));
        let lines = lines.map(|(at, line)| format!("{}:{at}: {}", file.path, line.trim()));
        lines.collect::<Vec<_>>()
    };
    tree::none(files.iter().filter(|file| file.ships()).flat_map(unwraps));
}

#[test]
fn no_file_needs_banners_to_find_ones_way() {
    let banner = |line: &str| {
        let comment = line.trim().strip_prefix("//").map(str::trim);
        comment.is_some_and(|c| c.len() > 3 && (c.starts_with("---") || c.starts_with("===")))
    };
    let files = tree::ending(".rs");
    let found = files.iter().flat_map(|file| lines_where(file, banner));
    tree::none(found);
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    tree::none(
        tree::files()
            .iter()
            .flat_map(|file| lines_with(file, &places)),
    );
}

#[test]
fn core_knows_no_time_no_hash_order_and_no_floats() {
    let lib = std::fs::read_to_string(tree::root().join("core/src/lib.rs"));
    assert!(
        lib.expect("is readable").contains("#![no_std]"),
        "core must stay no_std"
    );
    let words = [
        "HashMap",
        "HashSet",
        "std",
        "f32",
        "f64",
        "Instant",
        "SystemTime",
    ];
    let files = tree::files();
    let core = files
        .iter()
        .filter(|file| file.path.starts_with("core/src/") && file.ships());
    let found = core.flat_map(|file| {
        let lines = file.shipped_lines().filter(|(_, line)| {
            let named = |word: &&str| words.contains(word);
            !line.contains("extern crate std") && identifiers(code(line)).any(|w| named(&w))
        });
        let lines = lines.map(|(at, line)| format!("{}:{at}: {}", file.path, line.trim()));
        lines.collect::<Vec<_>>()
    });
    tree::none(found);
}

/// Schedulers and backends run in the simulator, which owns all time.
#[test]
fn only_the_seams_of_the_engine_read_a_clock() {
    let clocks = [
        "SystemTime::now",
        "Instant::now",
        "jiff::Timestamp::now",
        "Utc::now",
    ];
    let files = tree::files();
    let ours = files.iter().filter(|file| {
        let floor = ["engine/src/", "backends/src/"]
            .iter()
            .any(|f| file.path.starts_with(f));
        floor && file.ships() && file.path != "engine/src/seams.rs"
    });
    tree::none(ours.flat_map(|file| lines_with(file, &clocks)));
}

fn lines_with(file: &File, words: &[&str]) -> Vec<String> {
    lines_where(file, |line| words.iter().any(|word| line.contains(word)))
}

fn lines_where(file: &File, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| wrong(line));
    let lines = lines.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim()));
    lines.collect()
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}
