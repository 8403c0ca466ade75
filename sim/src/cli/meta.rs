use std::collections::BTreeSet;

use clap::Args;

use super::batch::unmet;
use super::children::Job;
use super::{CliError, Seeds, WorldKind};
use crate::history::Effect;

/// Lines of both traces that are shown where they part.
const SHOWN: usize = 3;

/// Runs seeds in two processes each and compares their whole traces, byte for byte. What so many runs
/// must meet they must have met: what meets nothing is always the same.
#[derive(Args)]
pub(super) struct Meta {
    /// Which seeds, as 0..20.
    #[arg(long, default_value = "0..20")]
    seeds: Seeds,
}

impl Meta {
    pub fn run(self) -> Result<bool, CliError> {
        let mut same = true;
        let mut bytes = 0;
        for world in WorldKind::ALL {
            let mut met = BTreeSet::new();
            for seed in self.seeds.0.clone() {
                let job = Job::Seed(world, seed);
                let (one, other) = std::thread::scope(|scope| {
                    let other = scope.spawn(|| job.trace(None, &["--raw"]));
                    (job.trace(None, &["--raw"]), other.join())
                });
                let other =
                    other.map_err(|_| CliError::Refused("a comparison panicked".to_owned()))?;
                let (one, other) = (one?, other?);
                bytes += one.len();
                met.extend(effects(&one));
                if one != other {
                    same = false;
                    println!(
                        "FAILED  seed {seed} of world {} ran differently in two processes",
                        world.as_str()
                    );
                    show(&one, &other);
                }
            }
            let runs = self.seeds.0.clone().count() as u64;
            let unmet = unmet(world, runs, |effect| met.contains(&effect));
            if !unmet.is_empty() {
                same = false;
                let (world, seeds) = (world.as_str(), &self.seeds.0);
                println!("FAILED  no seed of {seeds:?} in world {world} met {unmet:?}");
            }
        }
        if same {
            println!(
                "{} seeds in each world ran the same in two processes: {bytes} bytes of traces",
                self.seeds.0.clone().count()
            );
        }
        Ok(same)
    }
}

/// What a trace says was met.
fn effects(trace: &[u8]) -> BTreeSet<Effect> {
    let text = String::from_utf8_lossy(trace);
    let lines = text.lines().filter(|line| line.contains(" Met {"));
    let named: BTreeSet<&str> = lines
        .filter_map(|line| line.rsplit("effect: ").next())
        .collect();
    let is_named = |effect: &Effect| {
        let name = format!("{effect:?} }}");
        named.contains(name.as_str())
    };
    Effect::ALL.into_iter().filter(is_named).collect()
}

fn show(one: &[u8], other: &[u8]) {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let at = one.lines().zip(other.lines()).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| one.lines().count().min(other.lines().count()));
    for (name, trace) in [("one", &one), ("the other", &other)] {
        println!("  in {name}, from line {at} on:");
        trace
            .lines()
            .skip(at)
            .take(SHOWN)
            .for_each(|line| println!("    {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_tells_what_was_met() {
        let trace = b"0.1 Met { node: Node(2), effect: Moved }\n0.2 Healed\n";
        assert_eq!(effects(trace), BTreeSet::from([Effect::Moved]));
    }
}
