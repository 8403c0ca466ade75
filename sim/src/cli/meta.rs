use clap::Args;

use super::children::Job;
use super::{CliError, Seeds, WorldKind};

/// Lines of both traces that are shown where they part.
const SHOWN: usize = 3;

/// Runs seeds in two processes each and compares their whole traces, byte for byte.
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
                if one != other {
                    same = false;
                    println!(
                        "FAILED  seed {seed} of world {} ran differently in two processes",
                        world.as_str()
                    );
                    show(&one, &other);
                }
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
