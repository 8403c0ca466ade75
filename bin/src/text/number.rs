//! Numbers as people write them.

use russet_core::Epoch;

/// A number with a comma before every three digits: `2,000,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 task`, `2 tasks`, for things whose many end in `s`.
pub fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// An attempt, as a person reads it: by its number within its epoch, which is named when the
/// store has gone through several.
pub fn attempt(number: u64) -> String {
    match number / Epoch::ATTEMPTS {
        0 => number.to_string(),
        epoch => format!("{} (epoch {epoch})", number % Epoch::ATTEMPTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_number_is_grouped_by_commas() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(2_000_000), "2,000,000");
    }

    #[test]
    fn an_attempt_is_counted_within_its_epoch() {
        assert_eq!(attempt(0), "0");
        assert_eq!(attempt(3), "3");
        assert_eq!(attempt(1_029_000_001), "1 (epoch 1029)");
    }

    #[test]
    fn one_thing_is_said_in_the_singular() {
        assert_eq!(counted(0, "task"), "0 tasks");
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(2, "task"), "2 tasks");
    }
}
