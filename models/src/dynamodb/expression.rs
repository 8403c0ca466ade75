//! Expressions: those that the adapter sends, and no others.

use super::error::invalid;
use super::value::{Item, Value, item};
use crate::aws::{Error, Fields, Map};

/// What must hold of the item that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// It lacks this attribute, or there is none.
    Absent(String),
    /// It has this attribute, with this value.
    Equals(String, Value),
}

impl Condition {
    pub(super) fn holds(&self, item: Option<&Item>) -> bool {
        let found = |name| item.and_then(|item| item.get(name));
        match self {
            Self::Absent(name) => found(name).is_none(),
            Self::Equals(name, value) => found(name) == Some(value),
        }
    }

    /// The condition of a write, if it has one.
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, Error> {
        let text = fields.text("ConditionExpression")?;
        let mut values = Values::read(fields, text.is_some())?;
        let Some(text) = text else {
            return Ok(None);
        };
        let condition = match words(&text).as_slice() {
            ["attribute_not_exists", "(", name, ")"] => Self::Absent(self::name(name)?),
            [name, "=", value] if value.starts_with(':') => Self::Equals(
                self::name(name)?,
                values.take("ConditionExpression", value)?,
            ),
            _ => return Err(Error::unknown(format!("the condition {text}"))),
        };
        values.end()?;
        Ok(Some(condition))
    }
}

/// Which items of an index are asked for.
pub(super) struct KeyCondition {
    /// What they are grouped by.
    pub(super) group: (String, Value),
    /// A comparison with what they are sorted by.
    pub(super) edge: Option<(String, Comparison, Value)>,
}

#[derive(Clone, Copy)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn read(word: &str) -> Option<Self> {
        match word {
            "<" => Some(Self::Less),
            "<=" => Some(Self::LessOrEqual),
            ">" => Some(Self::Greater),
            ">=" => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    pub(super) fn holds(self, value: &Value, edge: &Value) -> bool {
        match self {
            Self::Less => value < edge,
            Self::LessOrEqual => value <= edge,
            Self::Greater => value > edge,
            Self::GreaterOrEqual => value >= edge,
        }
    }
}

impl KeyCondition {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Error> {
        const WHAT: &str = "KeyConditionExpression";
        let text = fields.text(WHAT)?;
        let text = text.ok_or_else(|| {
            invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified \
                 in the request.",
            )
        })?;
        let mut values = Values::read(fields, true)?;
        let unknown = || Error::unknown(format!("the key condition {text}"));
        let words = words(&text);
        let [group, "=", is, more @ ..] = words.as_slice() else {
            return Err(unknown());
        };
        let group = (name(group)?, values.take(WHAT, is)?);
        let edge = match more {
            [] => None,
            ["AND", sort, comparison, edge] => {
                let comparison = Comparison::read(comparison).ok_or_else(unknown)?;
                Some((name(sort)?, comparison, values.take(WHAT, edge)?))
            }
            _ => return Err(unknown()),
        };
        values.end()?;
        Ok(Self { group, edge })
    }
}

/// The attributes that are asked for, if not all.
pub(super) fn projection(fields: &mut Fields) -> Result<Option<Vec<String>>, Error> {
    let Some(text) = fields.text("ProjectionExpression")? else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for (at, word) in words(&text).into_iter().enumerate() {
        match (at % 2, word) {
            (0, word) => names.push(name(word)?),
            (1, ",") => {}
            _ => return Err(Error::unknown(format!("the projection {text}"))),
        }
    }
    Ok(Some(names))
}

/// The name of an attribute. Many longer ones are words that a real DynamoDB reserves.
fn name(word: &str) -> Result<String, Error> {
    match word.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Ok(word.to_owned()),
        _ => Err(Error::unknown(format!(
            "the name {word} in an expression: only letters alone"
        ))),
    }
}

/// The values that an expression refers to.
struct Values {
    values: Item,
    used: Vec<String>,
}

impl Values {
    fn read(fields: &mut Fields, expression: bool) -> Result<Self, Error> {
        let values = fields.object("ExpressionAttributeValues")?;
        if values.is_some() && !expression {
            return Err(invalid(
                "ExpressionAttributeValues can only be specified when using expressions",
            ));
        }
        if values.as_ref().is_some_and(Map::is_empty) {
            return Err(invalid("ExpressionAttributeValues must not be empty"));
        }
        Ok(Self {
            values: item(values.unwrap_or_default())?,
            used: Vec::new(),
        })
    }

    fn take(&mut self, of: &str, name: &str) -> Result<Value, Error> {
        if !name.starts_with(':') {
            return Err(Error::unknown(format!("the operand {name}")));
        }
        self.used.push(name.to_owned());
        let value = self.values.get(name).cloned();
        value.ok_or_else(|| {
            invalid(format!(
                "Invalid {of}: An expression attribute value used in expression is not defined; \
                 attribute value: {name}"
            ))
        })
    }

    /// Every value was used.
    fn end(self) -> Result<(), Error> {
        let mut names = self.values.keys();
        match names.find(|name| !self.used.contains(name)) {
            None => Ok(()),
            Some(name) => Err(invalid(format!(
                "Value provided in ExpressionAttributeValues unused in expressions: keys: {{{name}}}"
            ))),
        }
    }
}

/// The words and signs of an expression.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_ascii_alphanumeric() || "_:#.".contains(c);
        let in_sign = |c: char| "<>=".contains(c);
        let length = if in_word(first) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else if in_sign(first) {
            rest.find(|c| !in_sign(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}
