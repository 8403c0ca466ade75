//! Bearer tokens.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::text::counted;

/// The tokens that open the server; without any it is open to everybody who reaches it.
#[derive(Clone, Default)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// These tokens.
    pub const fn new(tokens: Vec<String>) -> Self {
        Self(tokens)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request with these headers may pass.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        self.is_empty() || bearer(headers).is_some_and(|given| self.knows(given))
    }

    /// Looks at every token in full, so that the time taken tells nothing about them.
    fn knows(&self, given: &str) -> bool {
        let same = |known: &String| same(known.as_bytes(), given.as_bytes());
        self.0
            .iter()
            .fold(false, |found, known| found | same(known))
    }
}

/// They are never shown.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&counted(self.0.len() as u64, "token"))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in a time that depends on the length of `given` alone.
fn same(known: &[u8], given: &[u8]) -> bool {
    let mut differ = u8::from(known.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        differ |= byte ^ known.get(at).copied().unwrap_or(!byte);
    }
    std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(tokens: &[&str], header: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().expect("a header"));
        }
        Tokens::new(tokens.iter().map(|t| (*t).to_owned()).collect()).admit(&headers)
    }

    #[test]
    fn without_tokens_everybody_passes() {
        assert!(admitted(&[], None));
        assert!(admitted(&[], Some("Bearer x")));
    }

    #[test]
    fn tokens_are_counted_and_not_shown() {
        let tokens = Tokens::new(vec!["first-secret".to_owned()]);
        assert_eq!(
            (format!("{tokens:?}"), tokens.len()),
            ("1 token".to_owned(), 1)
        );
    }

    #[test]
    fn with_tokens_only_their_bearers_pass() {
        let tokens = ["first-secret", "second-secret"];
        assert!(admitted(&tokens, Some("Bearer second-secret")));
        assert!(admitted(&tokens, Some("bearer first-secret")));
        assert!(!admitted(&tokens, Some("Bearer first-secre")));
        assert!(!admitted(&tokens, Some("Bearer first-secret2")));
        assert!(!admitted(&tokens, Some("Basic first-secret")));
        assert!(!admitted(&tokens, Some("Bearer ")));
        assert!(!admitted(&tokens, None));
    }
}
