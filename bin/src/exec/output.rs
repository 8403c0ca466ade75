//! Reads what a command prints, and keeps a bounded part of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::limits::READ_BYTES;

/// The beginning of an output.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The first bytes, as many as were to be kept.
    pub kept: Vec<u8>,
    /// How many bytes there were.
    pub total: u64,
}

impl Head {
    /// Reads until the end, and keeps the first `most` bytes.
    pub async fn read(&mut self, mut from: impl AsyncRead + Unpin, most: usize) {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let room = most.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&buffer[..read.min(room)]);
            self.total += read as u64;
        }
    }
}

/// The end of an output.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<u8>);

impl Tail {
    /// Reads until the end, and keeps the last `most` bytes.
    pub async fn read(&mut self, mut from: impl AsyncRead + Unpin, most: usize) {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.0.extend(&buffer[..read]);
            let surplus = self.0.len().saturating_sub(most);
            self.0.drain(..surplus);
        }
    }

    /// The last bytes, at most `most`, of what a file has from `start` on.
    fn of_file(path: &Path, start: u64, most: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(end.saturating_sub(most))))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The text, without a character that was cut in two and without white space around it.
    pub fn into_text(self) -> String {
        let bytes: Vec<u8> = self.0.into();
        let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let cut = bytes.iter().take(3).take_while(is_continuation).count();
        String::from_utf8_lossy(&bytes[cut..]).trim().to_owned()
    }
}

/// The end, at most `most` bytes, of what was written to a log from `start` on, as a text
/// without white space around it.
///
/// # Errors
/// What the system says.
pub fn end_of(log: &Path, start: u64, most: u64) -> io::Result<String> {
    Ok(Tail::of_file(log, start, most)?.into_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_beginning_is_kept_and_the_rest_is_counted() {
        let mut head = Head::default();
        head.read(&b"0123456789"[..], 4).await;
        assert_eq!((head.kept.as_slice(), head.total), (&b"0123"[..], 10));
    }

    #[tokio::test]
    async fn the_end_is_kept_without_half_a_character() {
        let mut tail = Tail::default();
        tail.read("first\nübel\n".as_bytes(), 5).await;
        assert_eq!(tail.into_text(), "bel");
    }

    #[test]
    fn the_end_of_a_log_is_kept_without_half_a_character() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("a.log");
        let line = "ü".repeat(2_000);
        std::fs::write(&log, format!("old\n{line}xy\n")).expect("writes");
        let end = end_of(&log, 4, 2_048).expect("reads");
        assert!(end.len() <= 2_048 && end.ends_with("üxy"));
        assert!(end.chars().all(|c| "üxy".contains(c)), "{end}");
    }

    #[test]
    fn what_was_in_a_log_before_is_not_of_this_attempt() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("a.log");
        std::fs::write(&log, "old\n new \n").expect("writes");
        assert_eq!(end_of(&log, 4, 100).expect("reads"), "new");
        assert_eq!(end_of(&log, 99, 100).expect("reads"), "");
    }
}
