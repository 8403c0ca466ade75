use std::time::Duration;

use redis::{ServerError, Value};
use russet_engine::{QueueError, StoreError};

/// Arguments of a script, in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Args {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Args {
    pub(crate) fn push(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.bytes.extend_from_slice(arg.as_ref());
        self.ends.push(self.bytes.len());
        self
    }

    pub(crate) fn number(&mut self, arg: impl std::fmt::Display) -> &mut Self {
        use std::io::Write;
        // Writing to memory does not fail.
        let _ = write!(self.bytes, "{arg}");
        self.ends.push(self.bytes.len());
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }
}

/// Behind this an error of the server repeats arguments of the command.
const REPEATED: &str = ", with args beginning with";

/// What is said of a server without memory.
pub(crate) const FULL: &str =
    "Redis has reached its maxmemory; what runs can still finish, without follow-up tasks";

/// Why a call has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// It was sent, and may be done, or be done yet.
    #[error("{0}")]
    Lost(String),
    /// It was sent, no answer came in time, and it may be done, or be done yet.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The server answered with an error.
    #[error("{}", .0.why)]
    Refused(Refusal),
    /// The answer is not one of those that there are.
    #[error("the server's answer is not understood: {0}")]
    Strange(String),
}

/// An error of the server.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) why: String,
}

/// What an error of the server means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It does not know the script; nothing ran.
    NoScript,
    /// It is not the primary any more; nothing ran.
    NotPrimary,
    /// Another node has the slot; nothing ran.
    Moved,
    /// Another node has it already, for this call; nothing ran.
    Ask,
    /// Its cluster cannot work now; nothing ran.
    Down,
    /// It is no node of a cluster; nothing ran.
    NoCluster,
    /// It cannot work now; nothing ran.
    Busy,
    /// It has no memory left; nothing ran.
    Full,
    /// It throws data away when it has none; nothing was sent.
    Evicts,
    /// This user may not do it.
    Forbidden,
    /// The password is wrong, or there is none.
    Login,
    /// Anything else: a script may have stopped half-way.
    Other,
}

impl Refusal {
    /// Codes are looked for anywhere: servers put more before the errors of a script.
    pub(crate) fn new(said: &str) -> Self {
        const CODES: [(&str, Reason); 20] = [
            ("NOSCRIPT", Reason::NoScript),
            ("READONLY", Reason::NotPrimary),
            ("UNBLOCKED", Reason::NotPrimary),
            ("LOADING", Reason::Busy),
            ("MASTERDOWN", Reason::Busy),
            ("CLUSTERDOWN", Reason::Down),
            ("cluster support disabled", Reason::NoCluster),
            ("MISCONF", Reason::Busy),
            ("NOREPLICAS", Reason::Busy),
            ("TRYAGAIN", Reason::Busy),
            ("BUSY", Reason::Busy),
            ("max number of clients", Reason::Busy),
            ("OOM command not allowed", Reason::Full),
            ("OOM ", Reason::Full),
            ("NOPERM", Reason::Forbidden),
            ("can't run this command", Reason::Forbidden),
            ("no permissions", Reason::Forbidden),
            ("WRONGPASS", Reason::Login),
            ("NOAUTH", Reason::Login),
            ("invalid password", Reason::Login),
        ];
        // A server repeats what it was told with a command that it does not know: also a password.
        let said = said.split(REPEATED).next().unwrap_or_default();
        let redirects = [("MOVED ", Reason::Moved), ("ASK ", Reason::Ask)];
        let redirect = redirects.iter().find(|(code, _)| said.starts_with(code));
        let known = redirect.or_else(|| CODES.iter().find(|(code, _)| said.contains(code)));
        Self {
            reason: known.map_or(Reason::Other, |(_, reason)| *reason),
            why: said.to_owned(),
        }
    }

    /// Whether a script was stopped in the middle by what the user may not do: what it had written
    /// stays.
    pub(crate) fn stopped_a_script(&self) -> bool {
        let of_script = ["@user_script", "script: "];
        self.reason == Reason::Forbidden && of_script.iter().any(|mark| self.why.contains(mark))
    }

    pub(crate) fn of(error: &ServerError) -> Self {
        let details = error.details().unwrap_or_default();
        Self::new(format!("{} {details}", error.code()).trim())
    }
}

impl CallError {
    pub(crate) fn strange(value: &Value) -> Self {
        let mut shown = format!("{value:?}");
        shown.truncate(
            shown
                .char_indices()
                .nth(80)
                .map_or(shown.len(), |(at, _)| at),
        );
        Self::Strange(shown)
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(refusal) => Some(refusal.reason),
            _ => None,
        }
    }

    /// Whether a server answered.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Strange(_))
    }

    /// Whether nothing was changed.
    pub(crate) fn changed_nothing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Lost(_) | Self::Late(_) | Self::Strange(_) => false,
            Self::Refused(refusal) => {
                refusal.reason != Reason::Other && !refusal.stopped_a_script()
            }
        }
    }

    /// What a read that failed with this is answered with.
    pub(crate) fn of_read(self) -> StoreError {
        StoreError::Unavailable { why: self.advice() }
    }

    /// What a commit that failed with this is answered with.
    pub(crate) fn of_commit(self) -> StoreError {
        if !self.changed_nothing() {
            return StoreError::Indeterminate { why: self.advice() };
        }
        match self.reason() {
            Some(Reason::Full) => StoreError::Full {
                why: FULL.to_owned(),
            },
            _ => self.of_read(),
        }
    }

    fn advice(&self) -> String {
        match self.reason() {
            Some(Reason::Login) => format!("{self}; check the user and the password of the url"),
            Some(Reason::Forbidden) => format!("{self}; allow it to the user of the url"),
            Some(Reason::Evicts) => format!(
                "its maxmemory-policy is {self}, which throws away tasks when memory is full: set maxmemory-policy noeviction"
            ),
            Some(Reason::Moved | Reason::Ask) => format!("{self}; its slot is being moved"),
            _ => self.to_string(),
        }
    }
}

impl From<CallError> for QueueError {
    fn from(error: CallError) -> Self {
        Self::Unavailable {
            why: error.advice(),
        }
    }
}

/// The items of an array, also where it is a set.
pub(crate) fn array(value: Value) -> Result<Vec<Value>, CallError> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::ServerError(error) => Err(CallError::Refused(Refusal::of(&error))),
        other => Err(CallError::strange(&other)),
    }
}

/// Bytes; `None` when there are none.
pub(crate) fn optional(value: Value) -> Result<Option<Vec<u8>>, CallError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        Value::ServerError(error) => Err(CallError::Refused(Refusal::of(&error))),
        other => Err(CallError::strange(&other)),
    }
}

pub(crate) fn bytes(value: Value) -> Result<Vec<u8>, CallError> {
    optional(value)?.ok_or_else(|| CallError::strange(&Value::Nil))
}

/// All items of an array as bytes.
pub(crate) fn strings(value: Value) -> Result<Vec<Vec<u8>>, CallError> {
    array(value)?.into_iter().map(bytes).collect()
}

/// A whole number, however it is written.
pub(crate) fn integer(value: Value) -> Result<i64, CallError> {
    match value {
        Value::Int(number) => Ok(number),
        other => {
            let bytes = bytes(other)?;
            let text = std::str::from_utf8(&bytes).ok();
            let exact = text.and_then(|text| text.parse::<i64>().ok());
            let number = exact.or_else(|| text?.parse::<f64>().ok().map(|float| float as i64));
            number.ok_or_else(|| CallError::strange(&Value::BulkString(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_wherever_they_stand() {
        for (said, reason) in [
            ("NOSCRIPT No matching script.", Reason::NoScript),
            (
                "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write",
                Reason::NotPrimary,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Reason::Full,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                Reason::Busy,
            ),
            (
                "NOPERM this user has no permissions to run the 'info' command",
                Reason::Forbidden,
            ),
            ("MOVED 3999 busy-BUSY.example:6381", Reason::Moved),
            ("ASK 3999 10.0.0.2:6381", Reason::Ask),
            ("ERR unknown command 'TASK x'", Reason::Other),
            ("CLUSTERDOWN Hash slot not served", Reason::Down),
            (
                "ERR This instance has cluster support disabled",
                Reason::NoCluster,
            ),
            ("ERR something else", Reason::Other),
        ] {
            assert_eq!(Refusal::new(said).reason, reason, "{said}");
        }
    }

    /// As Redis 6.2, Redis 7 and Valkey 9 say it.
    #[test]
    fn a_script_that_the_user_may_not_finish_may_have_changed_something() {
        let refused = |said| CallError::Refused(Refusal::new(said));
        for said in [
            "ERR Error running script (call to f_0a): @user_script:9: @user_script: 9: -NOPERM this \
             user has no permissions to run the 'zadd' command or its subcommand",
            "NOPERM this user has no permissions to run the 'zadd' command script: 0a, on \
             @user_script:9.",
        ] {
            assert_eq!(refused(said).reason(), Some(Reason::Forbidden));
            let error = refused(said).of_commit();
            let StoreError::Indeterminate { why } = &error else {
                panic!("it may have: {error:?}");
            };
            assert!(why.contains("allow it"), "{why}");
        }
        let before = "NOPERM this user has no permissions to run the 'evalsha' command";
        assert!(refused(before).changed_nothing());
    }

    #[test]
    fn arguments_that_a_server_repeats_are_not_shown() {
        for (said, shown) in [
            (
                "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'me' 'sesame' ",
                "ERR unknown command 'HELLO'",
            ),
            (
                "ERR unknown command `AUTH`, with args beginning with: `sesame`, ",
                "ERR unknown command `AUTH`",
            ),
        ] {
            assert_eq!(Refusal::new(said).why, shown);
        }
    }

    #[test]
    fn arguments_come_out_as_they_went_in() {
        let mut args = Args::default();
        args.push(b"a").push(b"").number(-17).push(b"\0\xff");
        let all: Vec<_> = args.iter().collect();
        assert_eq!(all, [b"a".as_slice(), b"", b"-17", b"\0\xff"]);
    }
}
