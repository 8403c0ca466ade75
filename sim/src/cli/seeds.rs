use std::ops::Range;
use std::str::FromStr;

/// Seeds, as `0..500`, `7` or `0..=499`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            part.parse::<u64>().map_err(|_| {
                format!("{part:?} is not a number; give a seed as 7 or a range as 0..500")
            })
        };
        let range = match text.split_once("..") {
            None => {
                let one = number(text)?;
                one..one.saturating_add(1)
            }
            Some((first, end)) => match end.strip_prefix('=') {
                Some(last) => number(first)?..number(last)?.saturating_add(1),
                None => number(first)?..number(end)?,
            },
        };
        match range.is_empty() {
            true => Err(format!(
                "{text} holds no seed; the first must be below the end, as in 0..500"
            )),
            false => Ok(Self(range)),
        }
    }
}

/// A single seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse();
    seed.map_err(|_| format!("{text:?} is not a number; give a seed as 7"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range_and_anything_else_is_refused_with_an_example() {
        assert_eq!("7".parse(), Ok(Seeds(7..8)));
        assert_eq!("0..500".parse(), Ok(Seeds(0..500)));
        assert_eq!("3..=5".parse(), Ok(Seeds(3..6)));
        for wrong in ["", "x", "5..5", "9..3", "1..y", "-1"] {
            let refused = wrong.parse::<Seeds>().expect_err(wrong);
            assert!(refused.contains("0..500"), "{wrong}: {refused}");
        }
    }
}
