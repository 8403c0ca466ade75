//! The nodes that a client may ask: any of them answers any request.

use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Uri;

use super::setting;
use crate::{Error, limits};

/// Nodes of one store, of which one is asked until it fails.
pub(super) struct Servers {
    all: Vec<String>,
    current: AtomicUsize,
}

impl Servers {
    /// One address, or several with commas between them; each counts once.
    pub fn new(addresses: &str) -> Result<Self, Error> {
        let given = addresses.split(',').map(str::trim);
        let mut all = Vec::new();
        for address in given.filter(|address| !address.is_empty()) {
            let address = base(address)?;
            if !all.contains(&address) {
                all.push(address);
            }
        }
        if all.is_empty() {
            return Err(setting(
                "the address",
                &"none is given, such as http://127.0.0.1:7718",
            ));
        }
        if all.len() > limits::SERVERS {
            let why = format!("{} are named, at most {}", all.len(), limits::SERVERS);
            return Err(setting("the addresses", &why));
        }
        Ok(Self {
            all,
            current: AtomicUsize::new(0),
        })
    }

    /// Their addresses, as they are asked.
    pub fn all(&self) -> &[String] {
        &self.all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The one to ask.
    pub fn current(&self) -> &str {
        &self.all[self.current.load(Ordering::Relaxed)]
    }

    /// The first one behind the current that is not among these.
    fn other_than(&self, asked: &[&str]) -> Option<&str> {
        let current = self.current.load(Ordering::Relaxed);
        let (before, behind) = self.all.split_at(current);
        let mut all = behind.iter().chain(before).map(String::as_str);
        all.find(|server| !asked.contains(server))
    }

    /// Asks the next one from now on, unless somebody has left `failed` already.
    pub fn leave(&self, failed: &str) {
        let Some(at) = self.all.iter().position(|server| server == failed) else {
            return;
        };
        let next = (at + 1) % self.all.len();
        let (done, order) = (Ordering::Relaxed, Ordering::Relaxed);
        let left = self.current.compare_exchange(at, next, done, order);
        if left.is_ok() && next != at {
            tracing::debug!(
                server = failed,
                next = self.all[next],
                "going to the next server"
            );
        }
    }
}

/// The servers that one call has asked.
pub(super) struct Asked<'a> {
    servers: &'a Servers,
    asked: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    /// None yet.
    pub fn of(servers: &'a Servers) -> Self {
        let asked = Vec::new();
        Self { servers, asked }
    }

    /// The one to ask next: the current one, unless that was asked and another one is wanted.
    pub fn next(&mut self, another: bool) -> &'a str {
        let unasked = self.servers.other_than(&self.asked).filter(|_| another);
        let server = unasked.unwrap_or(self.servers.current());
        if !self.asked.contains(&server) {
            self.asked.push(server);
        }
        server
    }

    /// Whether there are servers that were not asked.
    pub fn leaves_any(&self) -> bool {
        self.asked.len() < self.servers.len()
    }

    /// Their addresses, in the order in which they were asked.
    pub fn names(&self) -> String {
        self.asked.join(", ")
    }
}

/// `url` without a slash at its end, when it is one of plain HTTP.
fn base(url: &str) -> Result<String, Error> {
    let uri: Result<Uri, _> = url.parse();
    let uri = uri.map_err(|error| setting("the address", &format!("{url:?}: {error}")))?;
    let usable = uri.scheme_str() == Some("http") && uri.query().is_none();
    if usable && uri.authority().is_some() {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(Error::Setting {
        what: "the address",
        why: format!(
            "{url:?} is not of the form http://host:port, or several of them with commas between; for TLS use a proxy beside"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_with_or_without_a_path() {
        let base = |url| base(url).ok();
        assert_eq!(
            base("http://10.0.0.1:7300/").as_deref(),
            Some("http://10.0.0.1:7300")
        );
        assert_eq!(base("http://h/russet").as_deref(), Some("http://h/russet"));
        for wrong in ["https://h", "h:80", "/v1", "http://h/?a=b", ""] {
            assert_eq!(base(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_server_that_failed_is_left_once_however_many_calls_it_failed() {
        let servers = Servers::new("http://a, http://b/,http://c").expect("addresses");
        assert_eq!(servers.current(), "http://a");
        servers.leave("http://a");
        servers.leave("http://a");
        assert_eq!(servers.current(), "http://b");
        servers.leave("http://b");
        servers.leave("http://c");
        assert_eq!(servers.current(), "http://a");
    }

    #[test]
    fn an_address_that_is_repeated_counts_once() {
        let servers = Servers::new("http://a,http://a/ , http://b,").expect("addresses");
        assert_eq!(servers.len(), 2);
    }

    #[test]
    fn one_wrong_address_or_too_many_are_refused() {
        for wrong in ["", " , ", "http://a,b", "http://a http://b"] {
            assert!(Servers::new(wrong).is_err(), "{wrong}");
        }
        let many = (0..=limits::SERVERS).map(|n| format!("http://a{n}"));
        let many = many.collect::<Vec<_>>().join(",");
        assert!(Servers::new(&many).is_err());
    }
}
