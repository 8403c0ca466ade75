//! Reading one line of a scenario.

use std::collections::BTreeMap;
use std::str::FromStr;

use russet_core::Millis;

/// A keyword, plain words, and settings such as `priority=9` or `error="out of ink"`.
#[derive(Default)]
pub struct Line {
    /// `given`, `when`, `then`, or nothing for an empty line; `and` repeats the one before.
    pub keyword: String,
    pub words: Vec<String>,
    settings: BTreeMap<String, String>,
}

pub fn read(text: &str, keyword: &mut &'static str) -> Result<Line, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::default());
    }
    let mut tokens = tokens(text)?.into_iter();
    let first = tokens.next().unwrap_or_default();
    let known = ["given", "when", "then"]
        .into_iter()
        .find(|known| *known == first);
    *keyword = match known {
        Some(known) => known,
        None if first == "and" => keyword,
        None => return Err(format!("{first:?} is not given, when, then or and")),
    };
    let mut line = Line {
        keyword: (*keyword).into(),
        ..Line::default()
    };
    for token in tokens {
        match token.split_once('=') {
            Some((name, value)) if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                line.settings.insert(name.into(), value.into());
            }
            _ => line.words.push(token),
        }
    }
    Ok(line)
}

/// Splits at spaces outside of quotes, and takes the quotes away.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let (mut tokens, mut token, mut quoted) = (Vec::new(), None::<String>, false);
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                token.get_or_insert_default();
            }
            ' ' if !quoted => tokens.extend(token.take()),
            c => token.get_or_insert_default().push(c),
        }
    }
    tokens.extend(token);
    if quoted {
        Err("a quote is not closed".into())
    } else {
        Ok(tokens)
    }
}

impl Line {
    /// The words, to match against.
    pub fn spoken(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        self.settings.remove(name)
    }

    pub fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let parse = |text: String| {
            text.parse()
                .map_err(|_| format!("{name}={text} is no number"))
        };
        self.take(name).map(parse).transpose()
    }

    pub fn duration(&mut self, name: &str) -> Result<Option<Millis>, String> {
        self.take(name).map(|text| duration(&text)).transpose()
    }

    /// The settings that nobody took.
    pub fn rest(self) -> BTreeMap<String, String> {
        self.settings
    }

    pub fn finish(self) -> Result<(), String> {
        match self.settings.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(format!("{unknown}= means nothing here")),
        }
    }
}

/// `250ms`, `5s`, `2m`, `1h` or `3d`.
pub fn duration(text: &str) -> Result<Millis, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text} is no duration"))?;
    Ok(match &text[digits.len()..] {
        "ms" => Millis::new(number),
        "s" => Millis::from_secs(number),
        "m" => Millis::from_secs(number * 60),
        "h" => Millis::from_secs(number * 3_600),
        "d" => Millis::from_days(number),
        unit => return Err(format!("{unit:?} is not ms, s, m, h or d")),
    })
}
