//! What a task's payload says: what is to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::workflow::{TaskSpec, Work};

/// A payload, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    /// The task's name in the file.
    pub task: String,
    /// What it does.
    #[serde(flatten)]
    pub job: Job,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Job {
    /// Runs a command with `sh -c`.
    Shell {
        /// The command.
        run: String,
        /// Variables beside those that it inherits.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// Sleeps.
    Sleep {
        /// How long, before it is sped up.
        sleep_us: u64,
    },
}

impl Job {
    /// The task type that goes with it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shell { .. } => "shell",
            Self::Sleep { .. } => "sleep",
        }
    }
}

impl Payload {
    /// The payload of a task in a file.
    pub fn of(spec: &TaskSpec) -> Self {
        let job = match &spec.work {
            Work::Run(run) => Job::Shell {
                run: run.clone(),
                env: spec.env.clone(),
            },
            Work::Sleep(time) => Job::Sleep {
                sleep_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
            },
        };
        Self {
            task: spec.name.clone(),
            job,
        }
    }

    /// As it is stored.
    pub fn write(&self) -> Bytes {
        let json = serde_json::to_vec(self).expect("texts and numbers become JSON");
        json.into()
    }

    /// # Errors
    /// Why the bytes are no payload of a run.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// How long a sleep takes when it is sped up.
pub(super) fn sped_up(time: Duration, speedup: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() / speedup).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_reads_back_from_its_json() {
        let env = BTreeMap::from([("A".to_owned(), "b\n".to_owned())]);
        let run = "echo 'ü' && exit 3".to_owned();
        for job in [Job::Shell { run, env }, Job::Sleep { sleep_us: 52_203 }] {
            let task = "odd name/ü".to_owned();
            let payload = Payload { task, job };
            let read = Payload::read(&payload.write()).expect("reads back");
            assert_eq!(read, payload);
        }
    }

    #[test]
    fn sleeps_are_divided_by_the_speedup() {
        let second = Duration::from_secs(1);
        assert_eq!(sped_up(second, 100.0), Duration::from_millis(10));
        assert_eq!(sped_up(second, 0.5), Duration::from_secs(2));
        assert_eq!(sped_up(Duration::MAX, 1e-3), Duration::MAX);
    }
}
