//! Errors of commands and handlers, which may have many lines.

/// How the last errors of commands begin, before what they printed.
const STATUS: &str = "exit status ";

/// An error in one line: the last one that says something, which is where commands and stack
/// traces name what went wrong, with the exit status where there is one.
pub fn gist(message: &str) -> String {
    let mut lines = message.lines().map(str::trim);
    let last = lines.rfind(|line| !line.is_empty()).unwrap_or_default();
    let first = message.lines().next().unwrap_or_default();
    match first.split_once(": ") {
        Some((status, _)) if status.starts_with(STATUS) => {
            let last = last.strip_prefix(&format!("{status}: ")).unwrap_or(last);
            format!("{status}: {last}")
        }
        _ => last.to_owned(),
    }
}

/// A text whose lines are all indented, without control characters; each ends with a line break.
pub fn indented(text: &str, by: usize) -> String {
    let plain = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
    let mut out = String::with_capacity(text.len() + by);
    for line in text.trim_end().lines() {
        out.extend(std::iter::repeat_n(' ', by));
        out.extend(line.chars().map(plain));
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_an_error_is_its_last_line_with_the_exit_status() {
        let trace =
            "exit status 1: Traceback (most recent call last):\n  File \"x\"\nValueError: 3\n";
        assert_eq!(gist(trace), "exit status 1: ValueError: 3");
        assert_eq!(gist("exit status 3: no disk"), "exit status 3: no disk");
        assert_eq!(
            gist("exit status 3: no disk\na\nno disk"),
            "exit status 3: no disk"
        );
        assert_eq!(gist("first\n\nlast\n\n"), "last");
        assert_eq!(gist(""), "");
    }

    #[test]
    fn every_line_of_a_block_is_indented() {
        assert_eq!(indented("a\nb\x1b[1m\n", 2), "  a\n  b [1m\n");
    }
}
