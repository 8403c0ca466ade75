//! Texts that are never shown, whole or in part.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// An address that may hold a password, which is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Url(pub String);

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password may itself hold an @, so that the last one ends it.
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let rest = match rest.rsplit_once('@') {
            Some((_, rest)) => format!("***@{rest}"),
            None if scheme.is_empty() => "***".to_owned(),
            None => rest.to_owned(),
        };
        match scheme {
            "" => f.write_str(&rest),
            scheme => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_address_is_not_shown() {
        for (url, shown) in [
            ("redis://host:1/0", "redis://host:1/0"),
            ("redis://me:sesame@host:1", "redis://***@host:1"),
            ("rediss://:ses@me@host", "rediss://***@host"),
            ("me:sesame@host", "***@host"),
            ("sesame", "***"),
        ] {
            assert_eq!(Url(url.to_owned()).to_string(), shown);
        }
        assert_eq!(format!("{:?}", Secret("sesame".to_owned())), "***");
    }
}
