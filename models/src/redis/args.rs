//! Arguments of commands.

use super::resp::Reply;

/// What a command is answered with, or its error.
pub(super) type Answer = Result<Reply, Reply>;

pub(super) fn error(text: &str) -> Reply {
    Reply::Error(text.to_owned())
}

pub(super) fn arity(name: &str) -> Reply {
    let name = name.to_lowercase();
    Reply::Error(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

pub(super) fn integer(arg: &[u8]) -> Result<i64, Reply> {
    let text = std::str::from_utf8(arg).ok();
    let number = text.and_then(|text| text.parse::<i64>().ok());
    // Redis takes one way of writing a number only.
    let number = number.filter(|number| number.to_string().as_bytes() == arg);
    number.ok_or_else(|| error("ERR value is not an integer or out of range"))
}

pub(super) fn float(arg: &[u8]) -> Result<f64, Reply> {
    read_float(arg).ok_or_else(|| error("ERR value is not a valid float"))
}

fn read_float(arg: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(arg).ok()?;
    let number = match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => f64::INFINITY,
        "-inf" | "-infinity" => f64::NEG_INFINITY,
        text => text.parse().ok()?,
    };
    (!number.is_nan()).then_some(number)
}

/// Whether an argument is this word, in any case.
pub(super) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    at: f64,
    exclusive: bool,
}

impl Edge {
    pub(super) fn read(arg: &[u8]) -> Result<Self, Reply> {
        let (exclusive, number) = match arg.split_first() {
            Some((b'(', rest)) => (true, rest),
            _ => (false, arg),
        };
        let at = read_float(number).ok_or_else(|| error("ERR min or max is not a float"))?;
        Ok(Self { at, exclusive })
    }

    pub(super) fn is_below(&self, score: f64) -> bool {
        if self.exclusive {
            self.at < score
        } else {
            self.at <= score
        }
    }

    pub(super) fn is_above(&self, score: f64) -> bool {
        if self.exclusive {
            self.at > score
        } else {
            self.at >= score
        }
    }
}

/// One end of a range of members.
#[derive(Clone, Debug)]
pub(super) enum LexEdge {
    First,
    Last,
    At(Vec<u8>),
    Beside(Vec<u8>),
}

impl LexEdge {
    pub(super) fn read(arg: &[u8]) -> Result<Self, Reply> {
        match arg.split_first() {
            Some((b'-', [])) => Ok(Self::First),
            Some((b'+', [])) => Ok(Self::Last),
            Some((b'[', rest)) => Ok(Self::At(rest.to_vec())),
            Some((b'(', rest)) => Ok(Self::Beside(rest.to_vec())),
            _ => Err(error("ERR min or max not valid string range item")),
        }
    }

    pub(super) fn is_below(&self, member: &[u8]) -> bool {
        match self {
            Self::First => true,
            Self::Last => false,
            Self::At(edge) => edge.as_slice() <= member,
            Self::Beside(edge) => edge.as_slice() < member,
        }
    }

    pub(super) fn is_above(&self, member: &[u8]) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::At(edge) => edge.as_slice() >= member,
            Self::Beside(edge) => edge.as_slice() > member,
        }
    }
}

/// `LIMIT offset count`, and `WITHSCORES`, at the end of a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) with_scores: bool,
    offset: i64,
    count: i64,
}

impl Options {
    pub(super) fn read(mut args: &[Vec<u8>]) -> Result<Self, Reply> {
        let mut options = Self {
            with_scores: false,
            offset: 0,
            count: -1,
        };
        while let Some((first, rest)) = args.split_first() {
            if is(first, "WITHSCORES") {
                options.with_scores = true;
                args = rest;
            } else if is(first, "LIMIT") && rest.len() >= 2 {
                options.offset = integer(&rest[0])?;
                options.count = integer(&rest[1])?;
                args = &rest[2..];
            } else {
                return Err(error("ERR syntax error"));
            }
        }
        Ok(options)
    }

    /// The part of a range that was asked for.
    pub(super) fn cut<'a, T: 'a>(
        self,
        items: impl Iterator<Item = T> + 'a,
    ) -> Box<dyn Iterator<Item = T> + 'a> {
        let Ok(offset) = usize::try_from(self.offset) else {
            return Box::new(std::iter::empty());
        };
        let items = items.skip(offset);
        match usize::try_from(self.count) {
            Ok(count) => Box::new(items.take(count)),
            Err(_) => Box::new(items),
        }
    }
}
