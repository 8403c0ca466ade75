use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::children::{Job, cores, run_all};
use super::report::{Sum, failure};
use super::{CliError, Seeds, WorldKind};
use crate::history::Effect;
use crate::marks::Mark;

/// From so many seeds on, a batch must reach every mark.
const ALL_MARKS_FROM: u64 = 150;
/// And from so many on those that few runs reach.
const RARE_MARKS_FROM: u64 = 2_000;
/// Failures that are shown in full.
const SHOWN: u64 = 10;
/// How often a line tells of progress where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Runs many seeds, and checks every promise in each.
#[derive(Args)]
pub(super) struct Batch {
    /// Which seeds, as 0..500.
    #[arg(long, default_value = "0..100")]
    seeds: Seeds,
    /// The world; each, one after the other, when absent.
    #[arg(long, value_enum)]
    world: Option<WorldKind>,
    /// How many run side by side; as many as there are cores when absent.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Stops at the first failure.
    #[arg(long)]
    fail_fast: bool,
}

impl Batch {
    pub fn run(self) -> Result<bool, CliError> {
        let worlds = match self.world {
            Some(world) => vec![world],
            None => WorldKind::ALL.to_vec(),
        };
        let mut kept = true;
        for world in worlds {
            kept &= self.run_in(world)?;
        }
        Ok(kept)
    }

    fn run_in(&self, world: WorldKind) -> Result<bool, CliError> {
        let jobs: Vec<_> = self
            .seeds
            .0
            .clone()
            .map(|seed| Job::Seed(world, seed))
            .collect();
        let progress = ProgressBar::new(jobs.len() as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {eta} left {msg}");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let (mut sum, begun) = (Sum::default(), Instant::now());
        let (mut told, mut unshown) = (begun, Vec::new());
        run_all(
            &jobs,
            self.jobs.map_or_else(cores, NonZeroUsize::get),
            None,
            |job, verdict| {
                sum.add(&verdict);
                progress.inc(1);
                if progress.is_hidden() && told.elapsed() >= TOLD_EVERY {
                    told = Instant::now();
                    eprintln!(
                        "{} of {} seeds, {} failed",
                        sum.runs,
                        jobs.len(),
                        sum.failed
                    );
                }
                if verdict.broken.is_empty() {
                    return true;
                }
                progress.set_message(format!("{} failed", sum.failed));
                match sum.failed <= SHOWN {
                    true => progress.suspend(|| print!("{}", failure(job, None, &verdict.broken))),
                    false => unshown.push(job.to_string()),
                }
                !self.fail_fast
            },
        )?;
        progress.finish_and_clear();
        if !unshown.is_empty() {
            println!("FAILED  {} more: {}", unshown.len(), unshown.join("; "));
        }
        println!("world {}: {}", world.as_str(), sum.text(begun.elapsed()));
        let missed = sum.missed(&expected(world, sum.runs));
        let unmet = unmet(world, sum.runs, |effect| sum.effects.contains_key(&effect));
        let vacuous = sum.runs >= ALL_MARKS_FROM && !(missed.is_empty() && unmet.is_empty());
        if vacuous {
            println!(
                "FAILED  no run reached {missed:?} or met {unmet:?}: what they stand for was not \
                 tested"
            );
        }
        Ok(sum.failed == 0 && !vacuous)
    }
}

/// The effects that so many runs in a world must meet and did not.
pub(super) fn unmet(world: WorldKind, runs: u64, was_met: impl Fn(Effect) -> bool) -> Vec<Effect> {
    let all = Effect::ALL.into_iter();
    let expected = all.filter(|e| e.exists_in(world) && runs >= e.within_runs());
    expected.filter(|effect| !was_met(*effect)).collect()
}

/// The marks that so many runs in a world must reach.
fn expected(world: WorldKind, runs: u64) -> BTreeSet<Mark> {
    let all = Mark::ALL.into_iter();
    all.filter(|mark| mark.exists_in(world) && (!mark.is_rare() || runs >= RARE_MARKS_FROM))
        .collect()
}
