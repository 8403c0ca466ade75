//! What was stored once stays readable. `tests/fixtures/records-vN` holds one file for each
//! kind of record and each variant inside, as format N wrote it, and beside each what it
//! means. `RUSSET_WRITE_FIXTURES=1` writes those of the newest format anew: only before a
//! version with that format is out.

mod coverage;
mod data;
mod parts;
mod records;
mod tasks;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use russet_core::Record;
use russet_core::codec::{self, CodecError, FORMAT};

/// A record under the name of its fixture.
type Sample = (&'static str, Record);

fn samples() -> Vec<Sample> {
    tasks::samples()
        .into_iter()
        .chain(records::samples())
        .collect()
}

fn folder(format: u8) -> PathBuf {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    PathBuf::from(fixtures).join(format!("records-v{format}"))
}

/// The names of all fixtures of a format; they are written anew first, if that is asked for.
fn fixtures(format: u8) -> BTreeSet<String> {
    let folder = folder(format);
    if format == FORMAT && russet_tests::writes_fixtures() {
        write(&folder);
    }
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.expect("is readable").file_name());
    let stems = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".bin")?.to_owned()));
    stems.collect()
}

fn write(folder: &PathBuf) {
    fs::create_dir_all(folder).expect("makes the folder");
    for (name, record) in samples() {
        let write =
            |end: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{end}")), bytes);
        write("bin", &codec::write(&record)).expect("writes the record");
        write("json", rendered(&record).as_bytes()).expect("writes its meaning");
    }
}

/// What a record means, for people to read and tests to compare.
fn rendered(record: &Record) -> String {
    serde_json::to_string_pretty(record).expect("records serialise") + "\n"
}

fn stored(format: u8, name: &str) -> Vec<u8> {
    fs::read(folder(format).join(format!("{name}.bin"))).expect("the fixture is readable")
}

#[test]
fn every_record_that_a_format_stored_is_still_read_as_what_it_was() {
    for format in 1..=FORMAT {
        for name in fixtures(format) {
            let record = codec::read(&stored(format, &name));
            let record = record.unwrap_or_else(|error| panic!("v{format}/{name}: {error}"));
            let meant = fs::read_to_string(folder(format).join(format!("{name}.json")));
            assert_eq!(
                rendered(&record),
                meant.expect("is readable"),
                "v{format}/{name}"
            );
        }
    }
}

#[test]
fn this_version_stores_records_as_its_format_always_did() {
    let fixtures = fixtures(FORMAT);
    let samples = samples();
    let names: BTreeSet<_> = samples.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, fixtures, "samples (left) and their fixtures");
    assert_eq!(names.len(), samples.len(), "two samples share a name");
    for (name, record) in samples {
        let bytes = stored(FORMAT, name);
        assert_eq!(codec::read(&bytes).as_ref(), Ok(&record), "{name}");
        assert_eq!(
            codec::write(&record),
            bytes,
            "{name} is stored in another way: raise codec::FORMAT, and go on reading this one"
        );
    }
}

#[test]
fn a_record_that_was_cut_short_or_goes_on_is_damaged() {
    for name in fixtures(FORMAT) {
        let mut bytes = stored(FORMAT, &name);
        for end in 0..bytes.len() {
            assert_eq!(
                codec::read(&bytes[..end]),
                Err(CodecError::Damaged),
                "{name} to {end}"
            );
        }
        bytes.push(0);
        assert_eq!(
            codec::read(&bytes),
            Err(CodecError::Damaged),
            "{name} and more"
        );
    }
}

#[test]
fn a_record_of_a_newer_version_is_refused_with_what_to_do() {
    let found = FORMAT + 1;
    let error = codec::read(&[found, 0, 0]).expect_err("is newer");
    assert_eq!(error, CodecError::Newer { found });
    assert!(error.to_string().contains("upgrade"), "{error}");
}
