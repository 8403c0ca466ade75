//! How failures and summaries are told.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use russet_core::planted::Bug;

use super::children::Job;
use crate::history::{Effect, FaultKind};
use crate::marks::Mark;
use crate::verdict::{Broken, Verdict};

/// Most lines of events that are shown for a broken promise.
const SHOWN: usize = 12;

/// One line that reproduces a failure, then the promise and the events that show it.
pub(super) fn failure(job: &Job<'_>, bug: Option<Bug>, broken: &[Broken]) -> String {
    let planted = bug.map_or_else(String::new, |bug| format!(" --bug {}", bug.as_str()));
    let at = format!("(commit {}, {})", commit(), toolchain());
    let mut text = format!("FAILED  cargo sim replay {job}{planted}  {at}\n");
    for Broken {
        promise,
        what,
        shown_by,
    } in broken
    {
        text += &format!("  {promise}: {what}\n");
        for line in shown_by.iter().take(SHOWN) {
            text += &format!("    {line}\n");
        }
        if let Some(more) = shown_by.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            text += &format!("    and {more} events more\n");
        }
    }
    text
}

fn commit() -> String {
    let commit = said_by("git", &["rev-parse", "--short=12", "HEAD"]);
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    match said_by("git", &["status", "--porcelain", "--untracked-files=no"]) {
        Some(_) => format!("{commit} with changes"),
        None => commit,
    }
}

fn toolchain() -> String {
    said_by("rustc", &["--version"]).unwrap_or_else(|| "unknown toolchain".to_owned())
}

fn said_by(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// What a batch of runs comes to.
#[derive(Default)]
pub(super) struct Sum {
    /// Runs.
    pub runs: u64,
    /// Runs that broke something.
    pub failed: u64,
    /// Marks that some run reached, with how many did.
    pub marks: BTreeMap<Mark, u64>,
    /// How often a call met what.
    pub effects: BTreeMap<Effect, u64>,
    faults: BTreeMap<FaultKind, u64>,
    done: u64,
    refused: u64,
    lost: u64,
    worked: u64,
    simulated_ms: u64,
}

impl Sum {
    /// Adds a run.
    pub fn add(&mut self, verdict: &Verdict) {
        self.runs += 1;
        self.failed += u64::from(!verdict.broken.is_empty());
        for mark in &verdict.marks {
            *self.marks.entry(*mark).or_default() += 1;
        }
        for (kind, count) in &verdict.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (effect, count) in &verdict.effects {
            *self.effects.entry(*effect).or_default() += count;
        }
        self.done += verdict.done;
        self.refused += verdict.refused;
        self.lost += verdict.lost;
        self.worked += verdict.worked;
        self.simulated_ms += verdict.simulated_ms;
    }

    /// Marks that no run has reached.
    pub fn missed(&self, expected: &BTreeSet<Mark>) -> Vec<Mark> {
        let missing = expected
            .iter()
            .filter(|mark| !self.marks.contains_key(mark));
        missing.copied().collect()
    }

    /// The summary, for people.
    pub fn text(&self, wall: Duration) -> String {
        let seconds = wall.as_secs_f64().max(0.001);
        let per_minute = self.runs as f64 / seconds * 60.0;
        let simulated = self.simulated_ms as f64 / 1_000.0;
        let mut text = format!(
            "{} runs, {} failed; {:.0} simulated seconds in {seconds:.1} s ({:.0} a second), {per_minute:.0} runs a minute\n",
            self.runs,
            self.failed,
            simulated,
            simulated / seconds,
        );
        text += &format!(
            "asked: {} done, {} refused, {} without an answer; {} attempts reached their end\n",
            self.done, self.refused, self.lost, self.worked
        );
        text += &format!("faults: {}\n", listed(&self.faults));
        text += &format!("effects: {}\n", listed(&self.effects));
        text + &format!("marks (in how many runs): {}\n", listed(&self.marks))
    }
}

fn listed<K: serde::Serialize>(counts: &BTreeMap<K, u64>) -> String {
    let name = |key: &K| {
        let json = serde_json::to_string(key).unwrap_or_default();
        json.trim_matches('"').to_owned()
    };
    let parts: Vec<_> = counts
        .iter()
        .map(|(key, n)| format!("{} {n}", name(key)))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}
