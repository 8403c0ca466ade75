use crate::text::spelt_like;

/// Words from other schedulers, and what they are called here.
const SYNONYMS: [(&str, &str); 18] = [
    ("after", "depends_on"),
    ("attempts", "max_retries"),
    ("backoff", "retry_delay"),
    ("cmd", "run"),
    ("command", "run"),
    ("dependencies", "depends_on"),
    ("deps", "depends_on"),
    ("environment", "env"),
    ("exec", "run"),
    ("needs", "depends_on"),
    ("requires", "depends_on"),
    ("retries", "max_retries"),
    ("retry", "max_retries"),
    ("script", "run"),
    ("shell", "run"),
    ("steps", "tasks"),
    ("jobs", "tasks"),
    ("wait", "sleep"),
];

/// The candidate that `word` probably stands for: a synonym, else the closest spelling.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let known = SYNONYMS.iter().find(|(other, _)| *other == word);
    if let Some((_, meant)) = known
        && let Some(candidate) = candidates.clone().find(|candidate| candidate == meant)
    {
        return Some(candidate);
    }
    spelt_like(&word, candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 5] = ["run", "sleep", "depends_on", "max_retries", "timeout"];

    fn suggested(word: &str) -> Option<&'static str> {
        closest(word, FIELDS.into_iter())
    }

    #[test]
    fn a_misspelt_word_is_recognised() {
        assert_eq!(suggested("timout"), Some("timeout"));
        assert_eq!(suggested("tiemout"), Some("timeout"));
        assert_eq!(suggested("Depends-On"), Some("depends_on"));
        assert_eq!(suggested("max_retry"), Some("max_retries"));
        assert_eq!(suggested("rnu"), Some("run"));
    }

    #[test]
    fn a_word_of_other_schedulers_is_recognised() {
        assert_eq!(suggested("needs"), Some("depends_on"));
        assert_eq!(suggested("command"), Some("run"));
    }

    #[test]
    fn a_different_word_suggests_nothing() {
        assert_eq!(suggested("colour"), None);
        assert_eq!(suggested("ru"), None);
        assert_eq!(suggested(""), None);
        assert_eq!(suggested("environment"), None);
    }
}
