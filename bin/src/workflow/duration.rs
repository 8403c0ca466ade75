use std::time::Duration;

use super::limits;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not written as a duration.
    #[error("write a duration as 500ms, 2s, 1.5s, 5m, 1h30m, 2d, or a number of seconds")]
    Form,
    /// It is less than zero.
    #[error(
        "a duration cannot be negative; it is at most {} days",
        limits::DURATION_DAYS
    )]
    Negative,
    /// It is beyond [`limits::DURATION`].
    #[error("a duration is at most {} days", limits::DURATION_DAYS)]
    TooLong,
}

const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
];
const SECOND: usize = 3;

/// Digits read after the point; later ones are checked but do not count.
const FRACTION_DIGITS: usize = 9;
/// Digits before the point beyond which any unit is too long.
const WHOLE_DIGITS: usize = 15;
const SCALE: u128 = 1_000_000_000;

/// Reads `500ms`, `2s`, `1.5s`, `5m`, `1h30m`, `2d` or a bare number of seconds.
/// Units go from large to small, once each; only the last may have a fraction. Rounds up to whole milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let negative = text.strip_prefix('-');
    if negative.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        return Err(DurationError::Negative);
    }
    let mut rest = text;
    let mut sum: u128 = 0;
    let mut smallest: Option<usize> = None;
    while !rest.is_empty() || smallest.is_none() {
        let (number, after) = split_while(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (word, after) = split_while(after, |byte| byte.is_ascii_lowercase());
        let unit = match word {
            "" if smallest.is_none() && after.is_empty() => SECOND,
            _ => UNITS
                .iter()
                .position(|(name, _)| *name == word)
                .ok_or(DurationError::Form)?,
        };
        let in_order = smallest.is_none_or(|before| before < unit);
        let fraction_is_last = after.is_empty() || !number.contains('.');
        if !in_order || !fraction_is_last {
            return Err(DurationError::Form);
        }
        sum += scaled_micros(number, UNITS[unit].1)?;
        smallest = Some(unit);
        rest = after;
    }
    checked(sum.div_ceil(1_000 * SCALE) * 1_000)
}

/// Reads a decimal number of seconds, rounded to the nearest microsecond.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, DurationError> {
    let scaled = scaled_micros(text, UNITS[SECOND].1)?;
    checked((scaled + SCALE / 2) / SCALE)
}

/// `number` of `unit` microseconds, times [`SCALE`].
fn scaled_micros(number: &str, unit: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(DurationError::Form);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > WHOLE_DIGITS {
        return Err(DurationError::TooLong);
    }
    let fraction = fraction.bytes().chain(std::iter::repeat(b'0'));
    let digits = whole.bytes().chain(fraction.take(FRACTION_DIGITS));
    Ok(digits.fold(0, |value: u128, digit| {
        value * 10 + u128::from(digit - b'0')
    }) * unit)
}

fn checked(micros: u128) -> Result<Duration, DurationError> {
    let micros = u64::try_from(micros).map_err(|_| DurationError::TooLong)?;
    let duration = Duration::from_micros(micros);
    if duration > limits::DURATION {
        return Err(DurationError::TooLong);
    }
    Ok(duration)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn split_while(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !belongs(byte))
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> u128 {
        parse_duration(text).expect(text).as_millis()
    }

    #[test]
    fn each_form_of_a_duration_is_read() {
        assert_eq!(millis("500ms"), 500);
        assert_eq!(millis("2s"), 2_000);
        assert_eq!(millis("1.5s"), 1_500);
        assert_eq!(millis("5m"), 300_000);
        assert_eq!(millis("1h30m"), 5_400_000);
        assert_eq!(millis("2d"), 172_800_000);
        assert_eq!(millis("1d2h3m4s5ms"), 93_784_005);
        assert_eq!(millis("1h0.5m"), 3_630_000);
        assert_eq!(millis("7"), 7_000);
        assert_eq!(millis("0.25"), 250);
        assert_eq!(millis("0"), 0);
        assert_eq!(millis("0007s"), 7_000);
    }

    #[test]
    fn what_is_finer_than_a_millisecond_is_rounded_up() {
        assert_eq!(millis("0.0001s"), 1);
        assert_eq!(millis("1.2ms"), 2);
        assert_eq!(millis("0.3333333333333333"), 334);
    }

    #[test]
    fn other_texts_are_not_durations() {
        for text in [
            "", "s", "5x", "5 s", " 5", "--1s", "-x", "+1", "1.", ".5", "1..5s", "1.2.3", "1e3",
            "30m1h", "1s1s", "1.5h30m", "5S", "1h30", "5sec", "١s", "0x10", "1m\n",
        ] {
            assert_eq!(parse_duration(text), Err(DurationError::Form), "{text:?}");
        }
    }

    #[test]
    fn a_negative_duration_is_refused_as_such() {
        for text in ["-1s", "-5", "-1h30m"] {
            assert_eq!(
                parse_duration(text),
                Err(DurationError::Negative),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_duration_is_at_most_what_the_scheduler_takes() {
        let longest = Duration::from(russet_core::limits::DURATION_MAX);
        assert_eq!(parse_duration("3650d"), Ok(longest));
        for text in ["3650d1ms", "315360000.001", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), Err(DurationError::TooLong), "{text}");
        }
        let told = DurationError::TooLong.to_string();
        assert_eq!(told, "a duration is at most 3650 days");
    }

    #[test]
    fn recorded_seconds_are_rounded_to_the_nearest_microsecond() {
        assert_eq!(parse_seconds("0.054023"), Ok(Duration::from_micros(54_023)));
        assert_eq!(
            parse_seconds("1.0000005"),
            Ok(Duration::from_micros(1_000_001))
        );
        assert_eq!(parse_seconds("1.0000004"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_seconds("-1"), Err(DurationError::Form));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,20}|[0-9.dhms]{0,40}") {
            let _ = parse_duration(&text);
            let _ = parse_seconds(&text);
        }

        #[test]
        fn milliseconds_read_the_same_in_every_unit(value in 0u64..315_360_000_000) {
            let expected = Ok(Duration::from_millis(value));
            prop_assert_eq!(parse_duration(&format!("{value}ms")), expected);
            let seconds = format!("{}.{:03}", value / 1_000, value % 1_000);
            prop_assert_eq!(parse_duration(&seconds), expected);
            prop_assert_eq!(parse_duration(&format!("{}m{}ms", value / 60_000, value % 60_000)), expected);
        }
    }
}
