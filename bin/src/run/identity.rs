//! Which workflow a data directory belongs to.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use russet_core::WorkflowId;
use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::limits;

const FILE: &str = "run.json";
const NEXT: &str = "run.json.next";
const FORMAT: u32 = 2;

/// The content of `run.json`. It is written when the store has been made and before anything
/// is submitted, so that a submission that was cut off is repeated under the same identity, and
/// a store that holds tasks has an identity beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u32,
    /// The workflow's name, for people to read.
    pub workflow: String,
    /// Where its file was.
    pub file: String,
    /// What the file says.
    pub fingerprint: String,
    /// What was submitted: the whole workflow first, then what was to run once more.
    pub rounds: Vec<Round>,
    /// The most that any session had.
    pub conditions: Conditions,
}

/// One submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Round {
    /// Its identity in the store, which those of its tasks follow.
    pub id: WorkflowId,
    /// How many tasks the file had.
    pub tasks: usize,
}

impl Identity {
    pub fn new(
        round: Round,
        workflow: &str,
        file: &Path,
        fingerprint: String,
        conditions: Conditions,
    ) -> Self {
        Self {
            format: FORMAT,
            workflow: workflow.to_owned(),
            file: file.display().to_string(),
            fingerprint,
            rounds: vec![round],
            conditions,
        }
    }

    /// The newest submission.
    pub fn newest(&self) -> Round {
        *self.rounds.last().expect("checked when it was read")
    }

    /// Whether it is the identity of this workflow file, wherever that is seen from.
    pub fn is_of(&self, file: &Path) -> bool {
        let known = Path::new(&self.file);
        let same = || Some(known.canonicalize().ok()? == file.canonicalize().ok()?);
        known == file || same() == Some(true)
    }

    /// The identity in a directory; `None` when there is none.
    ///
    /// # Errors
    /// What the system says, or as invalid data why the file cannot be understood.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(dir.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(limits::IDENTITY_BYTES).read_to_end(&mut bytes)?;
        let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let identity: Self = serde_json::from_slice(&bytes)
            .map_err(|error| refused(format!("{FILE} cannot be read: {error}")))?;
        if identity.format != FORMAT {
            let why = format!("{FILE} has format {}, not {FORMAT}", identity.format);
            return Err(refused(why));
        }
        if identity.rounds.is_empty() {
            return Err(refused(format!("{FILE} names no submission")));
        }
        Ok(Some(identity))
    }

    /// Whether a directory has none.
    pub fn is_absent(dir: &Path) -> bool {
        !dir.join(FILE).exists()
    }

    /// Removes the identity of a directory, durably.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(dir: &Path) -> io::Result<()> {
        match std::fs::remove_file(dir.join(FILE)) {
            Ok(()) => File::open(dir)?.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts the identity in a directory: it is there as a whole, and durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let next = dir.join(NEXT);
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(&next, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    }
}
