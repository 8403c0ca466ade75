//! Values that people write on the command line.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::RangeInclusive;
use std::time::Duration;

use russet::wire::{Json, Time, TimeError, from_json};
use russet_core::limits::{PAYLOAD_BYTES, TASK_RESOURCES};

use super::CliError;
use crate::workflow::limits::DURATION_DAYS;
use crate::workflow::{DurationError, parse_duration};

/// How much of standard input is read where a file could stand.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A duration such as `500ms`, `5m`, `1h30m` or a number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// A duration that is longer than zero.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    let bounds = format!("it must be longer than zero, and at most {DURATION_DAYS} days");
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err(bounds),
        Err(DurationError::Negative) => Err(format!("a duration cannot be negative: {bounds}")),
        other => other.map_err(|error| error.to_string()),
    }
}

/// A whole number within bounds.
pub(super) fn whole<T: TryFrom<u64> + 'static>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text
            .parse::<u64>()
            .ok()
            .filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("it is not a whole number from {least} to {most}"))
    }
}

/// A number within bounds, with a fraction or without.
pub(super) fn number(
    range: RangeInclusive<f64>,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text
            .parse::<f64>()
            .ok()
            .filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("it is not a number from {least} to {most}"))
    }
}

/// A duration as the API counts it.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A point in time, such as `2026-01-31T08:00:00Z`.
pub(super) fn time(text: &str) -> Result<Time, String> {
    text.parse().map_err(|error: TimeError| error.to_string())
}

/// One resource, such as `cpu=2`.
pub(super) fn amount(text: &str) -> Result<(String, u64), String> {
    let form = "write NAME=AMOUNT, such as cpu=2 or memory_mb=512";
    let (name, amount) = text.split_once('=').ok_or(form)?;
    let (name, amount) = (name.trim(), amount.trim());
    match amount.parse() {
        Ok(whole) => Ok((name.to_owned(), whole)),
        Err(_) if amount.parse::<f64>().is_ok_and(f64::is_finite) => Err(format!(
            "{amount} will not do: amounts are whole numbers from 0 on; for less than one count in a smaller unit, such as {name}_milli=500"
        )),
        Err(_) => Err(form.to_owned()),
    }
}

/// Several resources, such as `cpu=4,memory_mb=8192,gpu=1`.
pub(super) fn amounts(text: &str) -> Result<Vec<(String, u64)>, String> {
    let amounts: Result<Vec<_>, _> = text.split(',').map(amount).collect();
    let amounts = amounts?;
    distinct(&amounts)?;
    if amounts.len() > TASK_RESOURCES {
        return Err(format!("names more than {TASK_RESOURCES} resources"));
    }
    Ok(amounts)
}

/// Refuses a resource that is named twice.
pub(super) fn distinct(amounts: &[(String, u64)]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    match amounts.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(format!("{name} is named twice: name each resource once")),
        None => Ok(()),
    }
}

/// JSON as it is written, from a file (`@FILE`) or from standard input (`-`).
pub(super) fn json(field: &str, text: &str) -> Result<Json, CliError> {
    let bytes = match text.strip_prefix('@') {
        _ if text == "-" => stdin(field, PAYLOAD_BYTES as u64)?,
        Some(file) => of_file(field, file, PAYLOAD_BYTES as u64)?,
        None => text.as_bytes().to_vec(),
    };
    if text == "-" && bytes.is_empty() {
        let why = "standard input is empty: give JSON there, and only one option `-`";
        return Err(CliError::input(field, why));
    }
    from_json(&bytes).map_err(|problem| {
        let problem = problem.detail.replacen("the body", "it", 1);
        let hint = "write JSON such as '{\"to\": \"me\"}' or '\"text\"', @FILE to read a file, or - for standard input";
        CliError::input(field, format!("{problem}; {hint}"))
    })
}

/// A whole file, or standard input for `-`.
pub(super) fn bytes(file: &str) -> Result<Vec<u8>, CliError> {
    match file {
        "-" => stdin("standard input", FILE_BYTES),
        file => of_file(file, file, FILE_BYTES),
    }
}

fn stdin(field: &str, most: u64) -> Result<Vec<u8>, CliError> {
    read(std::io::stdin(), field, "standard input", most)
}

fn of_file(field: &str, file: &str, most: u64) -> Result<Vec<u8>, CliError> {
    let opened = std::fs::File::open(file).map_err(|error| CliError::file(file, &error))?;
    read(opened, field, file, most)
}

/// All that comes from there, if it is not too much.
fn read(from: impl Read, field: &str, name: &str, most: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = from.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| CliError::file(name, &error))?;
    if bytes.len() as u64 > most {
        let why = format!(
            "{name} has more than {most} bytes: keep larger data elsewhere and pass a reference"
        );
        return Err(CliError::input(field, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_written_as_names_and_amounts() {
        assert!(amounts("cpu=1,cpu=2").is_err());
        let both = vec![("cpu".to_owned(), 4), ("gpu".to_owned(), 1)];
        assert_eq!(amounts("cpu=4,gpu=1"), Ok(both));
        assert!(amount("cpu").is_err() && amount("cpu=lots").is_err() && amount("cpu=-1").is_err());
        let half = amount("cpu=0.5").expect_err("is not whole");
        assert!(
            half.contains("whole numbers") && half.contains("cpu_milli"),
            "{half}"
        );
    }

    #[test]
    fn a_value_that_is_not_json_is_refused_with_what_to_write() {
        let error = json("--payload", "{to: me}").expect_err("is not JSON");
        let text = error.to_string();
        assert!(text.starts_with("--payload: it is not JSON:"), "{text}");
        assert!(text.contains("@FILE"), "{text}");
    }
}
