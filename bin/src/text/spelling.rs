/// The candidate whose spelling is closest to that of `word`, of which a third may differ; `-` and `_`,
/// and capital letters, count as the same.
pub fn spelt_like<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = letters(word);
    let limit = word.len() / 3;
    candidates
        .filter_map(|candidate| Some((distance(&word, &letters(candidate), limit)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn letters(word: &str) -> Vec<char> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    word.chars().collect()
}

/// Letters to add, drop, replace or swap with a neighbour to get from `a` to `b`, if at most `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, other) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(letter != other);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *other && *letter == b[j - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        if row.iter().all(|cost| *cost > limit) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|cost| *cost <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_of_those_that_are_close_is_found() {
        let like = |word| spelt_like(word, ["mails", "mail", "mail_eu", "reports"].into_iter());
        assert_eq!(like("mial"), Some("mail"));
        assert_eq!(like("Mail-EU"), Some("mail_eu"));
        assert_eq!(like("reprots"), Some("reports"));
        assert_eq!(like("images"), None);
        assert_eq!(like(""), None);
    }
}
