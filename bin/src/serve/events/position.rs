//! How far a reader of events has come: the `id` of a server-sent event.

use std::fmt;
use std::str::FromStr;

/// All events before a commit, and so many of its own, of one start of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Which start of which node.
    pub start: u64,
    /// The commit's number there.
    pub commit: u64,
    /// How many of its events.
    pub events: usize,
}

impl Position {
    /// All events before a commit.
    pub const fn before(start: u64, commit: u64) -> Self {
        Self {
            start,
            commit,
            events: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}-{}", self.start, self.commit, self.events)
    }
}

/// That a text is none of the positions that a node gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut parts = text.split('-');
        let (Some(start), Some(commit), Some(events), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoPosition);
        };
        let no = |_| NoPosition;
        Ok(Self {
            start: u64::from_str_radix(start, 16).map_err(no)?,
            commit: commit.parse().map_err(no)?,
            events: events.parse().map_err(no)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for position in [
            Position::before(7, 12),
            Position {
                start: u64::MAX,
                commit: u64::MAX,
                events: 3,
            },
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
    }

    #[test]
    fn another_text_is_no_position() {
        for text in ["", "7", "7-1", "7-1-2-3", "g-1-2", "7--2", "7-1-x", "é-1-2"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }
}
