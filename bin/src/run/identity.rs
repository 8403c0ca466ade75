//! Which workflow a data directory belongs to.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use russet_core::WorkflowId;
use serde::{Deserialize, Serialize};

use super::limits;

const FILE: &str = "run.json";
const NEXT: &str = "run.json.next";
const FORMAT: u32 = 1;

/// The content of `run.json`. It is written when the store has been made and before anything
/// is submitted, so that a store that was cut off does not count, and a submission that was cut
/// off is repeated under the same identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u32,
    /// The workflow's name, for people to read.
    pub workflow: String,
    /// Where its file was, for people to read.
    pub file: String,
    /// What the file says.
    pub fingerprint: String,
    /// Its identity in the store.
    pub id: WorkflowId,
    /// The tasks name the resources that they need.
    pub counted: bool,
}

impl Identity {
    pub fn new(
        id: WorkflowId,
        workflow: &str,
        file: &Path,
        fingerprint: String,
        counted: bool,
    ) -> Self {
        Self {
            format: FORMAT,
            workflow: workflow.to_owned(),
            file: file.display().to_string(),
            fingerprint,
            id,
            counted,
        }
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
        Ok(Some(identity))
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
