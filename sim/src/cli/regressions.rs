use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use super::children::{Job, cores, run_all};
use super::report::{Sum, failure};

/// Where plans are kept that have broken a promise once.
pub(super) const FOLDER: &str = "sim/regressions";

/// Runs the plans that have broken a promise once.
#[derive(Args)]
pub(super) struct Regressions {
    /// The folder of plans.
    #[arg(long, default_value = FOLDER)]
    folder: PathBuf,
}

impl Regressions {
    pub fn run(self) -> Result<bool, CliError> {
        let files = plans(&self.folder)?;
        if files.is_empty() {
            let folder = self.folder.display();
            return Err(CliError::Refused(format!(
                "there is no plan in {folder}: start this in the root of the repository, or name the folder of plans"
            )));
        }
        let jobs: Vec<_> = files.iter().map(|file| Job::File(file)).collect();
        let (mut sum, begun) = (Sum::default(), std::time::Instant::now());
        run_all(&jobs, cores(), None, |job, verdict| {
            sum.add(&verdict);
            if !verdict.broken.is_empty() {
                print!("{}", failure(job, None, &verdict.broken));
            }
            true
        })?;
        println!("regressions: {}", sum.text(begun.elapsed()));
        Ok(sum.failed == 0)
    }
}

fn plans(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let wrong = |source| CliError::File {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
