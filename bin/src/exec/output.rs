//! Reads what a command prints, and keeps a bounded part of it.

use std::collections::VecDeque;

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

    /// The text, without a character that was cut in two and without white space around it.
    pub fn into_text(self) -> String {
        let bytes: Vec<u8> = self.0.into();
        let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let cut = bytes.iter().take(3).take_while(is_continuation).count();
        String::from_utf8_lossy(&bytes[cut..]).trim().to_owned()
    }
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
}
