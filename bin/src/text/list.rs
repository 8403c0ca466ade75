//! Lists of names that may be long.

use super::on_one_line;

/// The first `most` names, each in at most `chars` characters, and how many others there are:
/// `a, b and 3 more`.
pub fn few<T: AsRef<str>>(names: &[T], most: usize, chars: usize) -> String {
    let shown = names.iter().take(most);
    let shown: Vec<_> = shown
        .map(|name| on_one_line(name.as_ref(), chars))
        .collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_most_are_only_counted() {
        assert_eq!(few(&["a", "b"], 2, 10), "a, b");
        assert_eq!(few(&["a", "b", "c", "d"], 2, 10), "a, b and 2 more");
        assert_eq!(few(&["a\nb", "abcdef"], 2, 4), "a b, abc…");
    }
}
