//! What is wrong in a configuration, said without any value: each may be a secret, and so may
//! the line that it stands in.

/// What is expected instead of what a configuration says, with the line, the column and the
/// setting when `text` is what was read. The line itself and the value are left out.
pub fn mistake(error: &toml::de::Error, text: Option<&str>) -> String {
    let is_toml = text.is_none_or(|text| text.parse::<toml::Table>().is_ok());
    let message = error.message();
    let problem = match is_toml {
        true => expected(message),
        // What the parser says of the grammar holds nothing of the text.
        false => message.to_owned(),
    };
    let at = text.zip(error.span());
    let place = at.map(|(text, span)| place(text, span.start));
    let setting = text.and_then(|_| setting(error));
    let setting = setting.map(|setting| format!("{setting}: "));
    let [place, setting] = [place, setting].map(Option::unwrap_or_default);
    format!("{place}{setting}{problem}")
}

/// What serde says, without the value that it repeats.
fn expected(message: &str) -> String {
    let names_keys = ["unknown field", "missing field", "duplicate field"];
    if names_keys.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    // What is said of a word that is one of several.
    if message == "wanted string or table" {
        return format!("expected {}", in_words("a string"));
    }
    // What is expected comes last: a value may hold the same words.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_words(expected)),
        None => "this value cannot stand here".to_owned(),
    }
}

/// What Rust calls a type, as people say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list, such as ['one', 'two']",
        "u16" => "a whole number from 0 to 65535",
        "u64" | "usize" => "a whole number, 0 or more",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        table if table.starts_with("struct ") => "a table of settings",
        other => other,
    }
}

fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before[start..].chars().count() + 1;
    format!("line {line}, column {column}: ")
}

/// The setting that the error is about, such as `redis.url`: it is said only by errors that do
/// not know their text.
fn setting(error: &toml::de::Error) -> Option<String> {
    let mut error = error.clone();
    error.set_input(None);
    let said = error.to_string();
    let rest = said.strip_prefix(error.message())?;
    let rest = rest.trim().strip_prefix("in `")?;
    rest.strip_suffix('`').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn said(text: &str) -> String {
        let error = toml::from_str::<Config>(text).expect_err("it is refused");
        mistake(&error, Some(text))
    }

    #[test]
    fn the_place_the_setting_and_what_is_expected_are_said_and_no_value() {
        for (text, start) in [
            (
                "[redis]\npassword = \"sesame\"",
                "line 2, column 1: redis: unknown field `password`, expected one of `url`",
            ),
            (
                "[redis]\n  sentinels = \"me:sesame@host\"",
                "line 2, column 15: redis.sentinels: expected a list, such as ['one', 'two']",
            ),
            (
                "[store]\npartitions = \"sesame, expected b\"",
                "line 2, column 14: store.partitions: expected a whole number from 0 to 65535",
            ),
            (
                "[store]\npartitions = 70000",
                "line 2, column 14: store.partitions: expected a whole number from 0 to 65535",
            ),
            (
                "[store]\ncache_mb = -1",
                "line 2, column 12: store.cache_mb: expected a whole number, 0 or more",
            ),
            (
                "[redis]\ntimeout_ms = 1.5",
                "line 2, column 14: redis.timeout_ms: expected a whole number, 0 or more",
            ),
            (
                "[redis]\ncluster = 'sesame'",
                "line 2, column 11: redis.cluster: expected true or false",
            ),
            (
                "[store]\ndata_dir = 7",
                "line 2, column 12: store.data_dir: expected a text in quotes",
            ),
            (
                "[store]\nbackend = 7",
                "line 2, column 11: store.backend: expected a text in quotes",
            ),
            ("store = 7", "line 1, column 9: store: expected a table"),
            (
                "[sqs]\nprefix = true",
                "line 2, column 10: sqs.prefix: expected a text in quotes",
            ),
            (
                "[redis]\nurl = 7",
                "line 2, column 7: redis.url: expected a text in quotes",
            ),
            (
                "[redis]\nsentinels = [7]",
                "line 2, column 14: redis.sentinels: expected a text in quotes",
            ),
            (
                "[redis]\nsentinel_password = 7",
                "line 2, column 21: redis.sentinel_password: expected a text in quotes",
            ),
            (
                "[redis]\nacknowledge = \"sesame\"",
                "line 2, column 15: redis.acknowledge: expected `primary` or `replica`",
            ),
            (
                "[redis]\nurl = \"redis://me:sesame@host\n",
                "line 2, column ",
            ),
            (
                "[redis]\nurl = redis://me:sesame@host\"\n",
                "line 2, column ",
            ),
        ] {
            let said = said(text);
            assert!(said.starts_with(start), "{said}");
            assert!(!said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn columns_are_counted_in_characters() {
        assert_eq!(place("a = 'é' x", 9), "line 1, column 9: ");
        assert_eq!(place("", 0), "line 1, column 1: ");
        assert_eq!(place("a\n", 2), "line 2, column 1: ");
    }
}
