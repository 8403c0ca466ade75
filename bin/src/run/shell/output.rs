use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::run::limits::OUTPUT_BYTES;

/// The end of what was written to a log from `start` on, without white space around it.
///
/// # Errors
/// What the system says.
pub(super) fn tail(log: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    let from = start.max(end.saturating_sub(OUTPUT_BYTES));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES).read_to_end(&mut bytes)?;
    let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let cut = if from > start {
        bytes.iter().take(3).take_while(is_continuation).count()
    } else {
        0
    };
    Ok(String::from_utf8_lossy(&bytes[cut..]).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_without_half_a_character() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("a.log");
        let line = "ü".repeat(2_000);
        std::fs::write(&log, format!("old\n{line}xy\n")).expect("writes");
        let tail = tail(&log, 4).expect("reads");
        assert!(tail.len() as u64 <= OUTPUT_BYTES && tail.ends_with("üxy"));
        assert!(tail.chars().all(|c| "üxy".contains(c)), "{tail}");
    }

    #[test]
    fn what_was_there_before_is_not_of_this_attempt() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("a.log");
        std::fs::write(&log, "old\n new \n").expect("writes");
        assert_eq!(tail(&log, 4).expect("reads"), "new");
        assert_eq!(tail(&log, 99).expect("reads"), "");
    }
}
