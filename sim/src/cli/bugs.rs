use std::num::NonZeroUsize;
use std::time::Instant;

use clap::Args;
use russet_core::planted::Bug;

use super::children::{Job, cores, run_all};
use super::one::bug;
use super::report::failure;
use super::{CliError, WorldKind};
use crate::verdict::Broken;

/// A bug that is not caught within so many seeds survives.
const WITHIN: u64 = 200;

/// Plants bugs, one at a time, and shows which checker catches each.
#[derive(Args)]
pub(super) struct Bugs {
    /// Only these bugs, each with the failure that shows it; all when absent.
    #[arg(value_parser = bug)]
    bugs: Vec<Bug>,
    /// Only so many bugs, chosen by rotation with --turn.
    #[arg(long)]
    some: Option<NonZeroUsize>,
    /// Which part of the rotation, such as the number of the build.
    #[arg(long, default_value_t = 0)]
    turn: usize,
    /// How many seeds run side by side.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
}

struct Catch {
    seed: u64,
    broken: Vec<Broken>,
}

impl Bugs {
    pub fn run(self) -> Result<bool, CliError> {
        let bugs = self.chosen();
        let (mut survived, mut needed) = (0, Vec::new());
        println!(
            "{:<34} {:<9} {:<18} {:>5}",
            "planted bug", "world", "caught by", "seeds"
        );
        for bug in bugs {
            let begun = Instant::now();
            match self.hunt(bug)? {
                Some((world, Catch { seed, broken })) => {
                    needed.push(seed + 1);
                    let promise = broken.first().map_or("", |broken| &broken.promise);
                    println!(
                        "{:<34} {:<9} {promise:<18} {:>5}",
                        bug.as_str(),
                        world.as_str(),
                        seed + 1
                    );
                    if !self.bugs.is_empty() {
                        print!("{}", failure(&Job::Seed(world, seed), Some(bug), &broken));
                    }
                }
                None => {
                    survived += 1;
                    let seconds = begun.elapsed().as_secs();
                    println!(
                        "{:<34} SURVIVED {WITHIN} seeds of each world ({seconds} s)",
                        bug.as_str()
                    );
                }
            }
        }
        needed.sort_unstable();
        if let Some(median) = needed.get(needed.len() / 2) {
            println!(
                "{} caught, {survived} survived; the median needed {median} seeds",
                needed.len()
            );
        }
        Ok(survived == 0)
    }

    fn chosen(&self) -> Vec<Bug> {
        if !self.bugs.is_empty() {
            return self.bugs.clone();
        }
        let count = self.some.map_or(Bug::ALL.len(), NonZeroUsize::get);
        let first = self.turn * count;
        let chosen = (0..count).map(|n| Bug::ALL[(first + n) % Bug::ALL.len()]);
        chosen.collect()
    }

    /// The first seed that catches a bug, in the world where that is easiest first.
    fn hunt(&self, bug: Bug) -> Result<Option<(WorldKind, Catch)>, CliError> {
        for world in worlds(bug) {
            let jobs: Vec<_> = (0..WITHIN).map(|seed| Job::Seed(*world, seed)).collect();
            let mut caught: Option<Catch> = None;
            run_all(
                &jobs,
                self.jobs.map_or_else(cores, NonZeroUsize::get),
                Some(bug),
                |job, verdict| {
                    let (Job::Seed(_, seed), false) = (job, verdict.broken.is_empty()) else {
                        return true;
                    };
                    if caught.as_ref().is_none_or(|known| *seed < known.seed) {
                        caught = Some(Catch {
                            seed: *seed,
                            broken: verdict.broken,
                        });
                    }
                    false
                },
            )?;
            if let Some(caught) = caught {
                return Ok(Some((*world, caught)));
            }
        }
        Ok(None)
    }
}

/// Where a bug can show. Those of an adapter are named after it.
fn worlds(bug: Bug) -> &'static [WorldKind] {
    match bug.as_str().split('-').next() {
        Some("redis") => &[WorldKind::Redis],
        Some("dynamo") => &[WorldKind::Sqs],
        Some("sqs") => &[WorldKind::SqsRedis, WorldKind::Sqs],
        _ => &[WorldKind::Memory, WorldKind::Embedded],
    }
}
