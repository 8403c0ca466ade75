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
        let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
        let split = self.0.split_once("://");
        let Some((scheme, rest)) = split.filter(|(scheme, _)| is_scheme(scheme)) else {
            return f.write_str(&without_login(&self.0).unwrap_or_else(|| "***".to_owned()));
        };
        let shown = without_login(rest).unwrap_or_else(|| {
            // What stands behind these may be a password as well.
            match rest.split_once(['?', '#']) {
                Some((place, _)) => format!("{place}?***"),
                None => rest.to_owned(),
            }
        });
        write!(f, "{scheme}://{shown}")
    }
}

/// What stands behind a login, if there is one. A password may itself hold an @, so that the last
/// one ends it; what it ends is only taken for a place if nothing says otherwise.
fn without_login(text: &str) -> Option<String> {
    let (login, place) = text.rsplit_once('@')?;
    let is_odd = |text: &str| text.contains(['?', '#']);
    Some(match (is_odd(login), place.split_once(['?', '#'])) {
        (true, _) => "***".to_owned(),
        (false, Some((place, _))) => format!("***@{place}?***"),
        (false, None) => format!("***@{place}"),
    })
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

/// What should be `host:port`, and may be something with a password, which is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Host(pub String);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shown) = without_login(&self.0) {
            return f.write_str(&shown);
        }
        let port = self.0.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) if !self.0.contains("//") => f.write_str(&self.0),
            _ => f.write_str("***"),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Host {
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
            ("redis://host/0?password=sesame", "redis://host/0?***"),
            ("redis://host/0?password=ses@me", "redis://***"),
            (
                "redis://me:sesame@host/0?x=sesame",
                "redis://***@host/0?***",
            ),
            ("redis://host#sesame", "redis://host?***"),
            ("ses ame://host", "***"),
            ("me:sesame@redis://host", "***@redis://host"),
        ] {
            assert_eq!(Url(url.to_owned()).to_string(), shown);
        }
        for (host, shown) in [
            ("host:26379", "host:26379"),
            ("[::1]:26379", "[::1]:26379"),
            ("me:sesame@host:1", "***@host:1"),
            ("redis://me:sesame@host:1", "***@host:1"),
            ("redis://host:1", "***"),
            ("sesame", "***"),
            ("me:sesame", "***"),
        ] {
            assert_eq!(Host(host.to_owned()).to_string(), shown);
        }
        assert_eq!(format!("{:?}", Secret("sesame".to_owned())), "***");
    }
}
