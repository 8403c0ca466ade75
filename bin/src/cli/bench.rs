use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{CliError, Global, input, report};
use crate::bench::{self, BenchError, Figure, Options, Role, Suite, Target, limits};

/// `russet bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure; everything when absent, `redis` only with --redis.
    #[arg(value_enum)]
    pub suites: Vec<Suite>,
    /// How long each timed part runs, 0.1 to 3,600.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, allow_negative_numbers = true,
        value_parser = input::number(limits::SECONDS))]
    pub seconds: f64,
    /// How often each suite runs; medians are shown.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true,
        value_parser = input::whole::<u32>(limits::REPEATS))]
    pub repeats: u32,
    /// Tasks in the suite `size`.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, allow_negative_numbers = true,
        value_parser = input::whole::<u64>(limits::TASKS))]
    pub tasks: u64,
    /// Where temporary data goes: this decides which disk is measured.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// A Redis server for the suite `redis`. It is filled, and emptied of that again.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// With what all names begin on a Redis server.
    #[arg(long, hide = true, default_value = "russet-bench")]
    pub prefix: String,
    /// What this process does for another benchmark process.
    #[arg(long, hide = true, value_enum)]
    pub role: Option<Role>,
}

impl Bench {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let options = Options {
            suites: self.suites.clone(),
            time: Duration::from_secs_f64(self.seconds),
            repeats: self.repeats,
            tasks: self.tasks,
            folder: self.folder.clone(),
            redis: self.redis.clone(),
            prefix: self.prefix.clone(),
        };
        if let Some(role) = self.role {
            let failed = |why: Box<dyn std::error::Error + Send + Sync>| BenchError {
                suite: Suite::Http,
                why: why.to_string(),
            };
            bench::play(role, &options, &global.url).map_err(failed)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut printed = Ok(());
        bench::run(&options, |_, figures| {
            let done = figures
                .iter()
                .try_for_each(|figure| print(figure, global.json));
            printed = std::mem::replace(&mut printed, Ok(())).and(done);
        })?;
        printed?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One figure a line.
fn print(figure: &Figure, json: bool) -> Result<(), CliError> {
    if json {
        return report::json(figure);
    }
    let Figure {
        name,
        value,
        unit,
        against,
    } = figure;
    let value = if *value >= 1_000.0 {
        grouped(*value)
    } else {
        format!("{value:.2}")
    };
    let beside = against.as_ref().map(|against| {
        let (sign, bound) = match against.target {
            Target::AtLeast(least) => ("≥", least),
            Target::AtMost(most) => ("≤", most),
        };
        let verdict = if against.target.is_met_by(against.ratio) {
            "met"
        } else {
            "MISSED"
        };
        format!(
            "   {:.2} x {} (aim {sign} {bound}: {verdict})",
            against.ratio, against.name
        )
    });
    let beside = beside.unwrap_or_default();
    report::line(format!("{name:<58} {value:>12} {unit:<6}{beside}").trim_end())
}

/// A whole number with its thousands set apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
