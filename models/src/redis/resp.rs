//! The protocol: how commands and replies are written.

use bytes::{Buf, BytesMut};

/// Longest command that is read, in bytes: longer ones are not of a client that means well.
const COMMAND_BYTES: usize = 512 * 1024 * 1024;

/// What a command is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A short text that is no data, such as `OK`.
    Status(String),
    /// An error: its code, and what is wrong.
    Error(String),
    /// A whole number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// Several.
    Array(Vec<Reply>),
    /// Pairs.
    Map(Vec<(Reply, Reply)>),
    /// What was not asked for: a message of a channel.
    Push(Vec<Reply>),
}

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The older one.
    #[default]
    Resp2,
    /// The one with maps and pushes.
    Resp3,
}

/// Bytes that are no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a command")]
pub struct NoCommand;

impl Reply {
    /// `OK`.
    pub fn ok() -> Self {
        Self::Status("OK".into())
    }

    /// Bytes of a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bulk(text.into().into_bytes())
    }

    /// Bytes, each of several.
    pub fn bulks(items: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::Array(items.into_iter().map(Self::Bulk).collect())
    }

    /// Appends the reply as it is written.
    pub fn write(&self, protocol: Protocol, to: &mut Vec<u8>) {
        let mut line = |sign: char, text: &str| {
            to.extend_from_slice(format!("{sign}{text}\r\n").as_bytes());
        };
        match self {
            Self::Status(text) => line('+', text),
            Self::Error(text) => line('-', text),
            Self::Int(number) => line(':', &number.to_string()),
            Self::Bulk(bytes) => {
                line('$', &bytes.len().to_string());
                to.extend_from_slice(bytes);
                to.extend_from_slice(b"\r\n");
            }
            Self::Nil if protocol == Protocol::Resp2 => line('$', "-1"),
            Self::Nil => line('_', ""),
            Self::Array(items) => {
                line('*', &items.len().to_string());
                items.iter().for_each(|item| item.write(protocol, to));
            }
            Self::Push(items) => {
                let sign = if protocol == Protocol::Resp2 {
                    '*'
                } else {
                    '>'
                };
                line(sign, &items.len().to_string());
                items.iter().for_each(|item| item.write(protocol, to));
            }
            Self::Map(pairs) => {
                match protocol {
                    Protocol::Resp2 => line('*', &(2 * pairs.len()).to_string()),
                    Protocol::Resp3 => line('%', &pairs.len().to_string()),
                }
                for (key, value) in pairs {
                    key.write(protocol, to);
                    value.write(protocol, to);
                }
            }
        }
    }
}

/// Takes the next command from what has arrived; `None` while it is not whole.
///
/// # Errors
/// Bytes that begin no command.
pub fn read_command(arrived: &mut BytesMut) -> Result<Option<Vec<Vec<u8>>>, NoCommand> {
    let mut at = 0;
    let Some(count) = number(arrived, &mut at, b'*')? else {
        return Ok(None);
    };
    let mut parts = Vec::new();
    for _ in 0..count {
        let Some(length) = number(arrived, &mut at, b'$')? else {
            return Ok(None);
        };
        let Some(part) = arrived.get(at..at + length + 2) else {
            return Ok(None);
        };
        if &part[length..] != b"\r\n" {
            return Err(NoCommand);
        }
        parts.push(part[..length].to_vec());
        at += length + 2;
    }
    arrived.advance(at);
    Ok(Some(parts))
}

fn number(arrived: &[u8], at: &mut usize, sign: u8) -> Result<Option<usize>, NoCommand> {
    let rest = &arrived[*at..];
    let Some((first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    if *first != sign {
        return Err(NoCommand);
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
        return Ok(None);
    };
    *at += end + 3;
    let text = std::str::from_utf8(&rest[..end]).map_err(|_| NoCommand)?;
    let number = text.parse().map_err(|_| NoCommand)?;
    match number <= COMMAND_BYTES {
        true => Ok(Some(number)),
        false => Err(NoCommand),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn commands_are_read_however_they_arrive(
            commands: Vec<Vec<Vec<u8>>>, cuts: Vec<prop::sample::Index>,
        ) {
            let commands: Vec<_> = commands.into_iter().filter(|parts| !parts.is_empty()).collect();
            let mut bytes = Vec::new();
            for parts in &commands {
                let parts = parts.iter().cloned().map(Reply::Bulk).collect();
                Reply::Array(parts).write(Protocol::Resp2, &mut bytes);
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut arrived, mut read) = (BytesMut::new(), Vec::new());
            for piece in cuts.windows(2) {
                arrived.extend_from_slice(&bytes[piece[0]..piece[1]]);
                while let Some(command) = read_command(&mut arrived).expect("a command") {
                    read.push(command);
                }
            }
            prop_assert_eq!(read, commands);
        }

        #[test]
        fn other_bytes_are_no_panic(bytes: Vec<u8>) {
            let _ = read_command(&mut BytesMut::from(bytes.as_slice()));
        }
    }
}
