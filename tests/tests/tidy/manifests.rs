//! Which crate may use which.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::tree;

/// Folder and crate, each using only those above it.
const FLOORS: [(&str, &str); 6] = [
    ("core", "russet-core"),
    ("engine", "russet-engine"),
    ("backends", "russet-backends"),
    ("sdk", "russet"),
    ("bin", "russet-cli"),
    ("tests", "russet-tests"),
];

/// What the floors are proved with, and never ship.
const BESIDE: [(&str, &str); 3] = [
    ("sim", "russet-sim"),
    ("models", "russet-models"),
    ("servers", "russet-servers"),
];

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, known)| *known == name)
}

fn manifest(folder: &str) -> Table {
    let path = tree::root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What ships with a crate: its dependencies for every target, without those of its tests.
fn shipped(manifest: &Table) -> BTreeMap<String, Value> {
    let kinds = ["dependencies", "build-dependencies"];
    let of = |table: &Table| {
        let tables = kinds
            .iter()
            .filter_map(|kind| table.get(*kind)?.as_table().cloned());
        tables.flatten().collect::<Vec<_>>()
    };
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets
        .into_iter()
        .flatten()
        .filter_map(|(_, target)| target.as_table());
    of(manifest)
        .into_iter()
        .chain(targets.flat_map(of))
        .collect()
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (floor, (folder, name)) in FLOORS.iter().enumerate() {
        let manifest = manifest(folder);
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(*name),
            "{folder} is {name}"
        );
        for (key, value) in shipped(&manifest) {
            let renamed = value.get("package").and_then(Value::as_str);
            let used = renamed.unwrap_or(&key);
            let beside = BESIDE.iter().any(|(_, known)| *known == used);
            if beside || floor_of(used).is_some_and(|used| used >= floor) {
                wrong.push(format!("{folder}/Cargo.toml: {name} may not use {used}"));
            }
        }
    }
    tree::none(wrong);
}

#[test]
fn every_crate_is_on_a_floor_and_keeps_the_shared_lints() {
    let workspace = manifest("");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("lists its members");
    let mut wrong = Vec::new();
    for member in members.iter().filter_map(Value::as_str) {
        let mut known = FLOORS.iter().chain(&BESIDE);
        if !known.any(|(folder, _)| *folder == member) {
            wrong.push(format!(
                "{member} is on no floor: add it to FLOORS or BESIDE"
            ));
        }
        let lints = manifest(member)
            .get("lints")
            .and_then(|l| l.get("workspace")?.as_bool());
        if lints != Some(true) {
            wrong.push(format!(
                "{member}/Cargo.toml does not say lints.workspace = true"
            ));
        }
    }
    tree::none(wrong);
}

#[test]
fn core_depends_on_nothing_that_brings_time_chance_or_input() {
    let allowed = ["bytes", "postcard", "serde", "smol_str", "thiserror"];
    let used = shipped(&manifest("core"));
    let others = used.keys().filter(|name| !allowed.contains(&name.as_str()));
    tree::none(others.map(|name| format!("core/Cargo.toml: {name}")));
}
