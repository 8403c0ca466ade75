use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use russet_core::Timestamp;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: RFC 3339 with milliseconds in UTC, such as `2026-01-31T08:00:00.000Z`.
/// Any offset is read; finer fractions are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

/// Why a text is not a [`Time`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: use RFC 3339 from 1970 on, such as 2026-01-31T08:00:00Z")]
pub struct TimeError(String);

impl Time {
    /// The time as `core` counts it.
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// As RFC 3339 has it, of times that a calendar can hold and [`Self::read`] therefore reads.
    fn written(self) -> [u8; Timestamp::RFC3339.len()] {
        Self::from(jiff::Timestamp::from(self)).0.rfc3339()
    }

    /// Reads what [`Self::written`] wrote; other ways to write a time are not known here.
    fn read(text: &str) -> Option<jiff::Timestamp> {
        let form = Timestamp::RFC3339;
        let text: &[u8; Timestamp::RFC3339.len()] = text.as_bytes().try_into().ok()?;
        let fits = |(byte, form): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == form,
        };
        if !text.iter().zip(&form).all(fits) {
            return None;
        }
        let number = |place: std::ops::Range<usize>| {
            let digits = text[place].iter();
            digits.fold(0, |number: i16, digit| {
                number * 10 + i16::from(digit - b'0')
            })
        };
        let small = |place| number(place) as i8;
        let nanos = i32::from(number(20..23)) * 1_000_000;
        let (month, day) = (small(5..7), small(8..10));
        let (hour, minute, second) = (small(11..13), small(14..16), small(17..19));
        let at = DateTime::new(number(0..4), month, day, hour, minute, second, nanos).ok()?;
        Offset::UTC.to_timestamp(at).ok()
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<jiff::Timestamp> for Time {
    /// Times before 1970 become 1970.
    fn from(at: jiff::Timestamp) -> Self {
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
        Self(Timestamp::from_millis(ms))
    }
}

impl From<Time> for jiff::Timestamp {
    /// Times behind the year 9999 become its end.
    fn from(time: Time) -> Self {
        let ms = i64::try_from(time.0.as_millis()).unwrap_or(i64::MAX);
        Self::from_millisecond(ms).unwrap_or(Self::MAX)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.written()).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.chars().take(60).collect());
        let at = Self::read(text).map_or_else(|| text.parse(), Ok);
        let at: jiff::Timestamp = at.map_err(|_| wrong())?;
        let ms = u64::try_from(at.as_millisecond()).map_err(|_| wrong())?;
        Ok(Self(Timestamp::from_millis(ms)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.written();
        let text = std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The last millisecond of the year 9999 that a calendar can hold.
    fn last() -> u64 {
        jiff::Timestamp::MAX.as_millisecond().unsigned_abs()
    }

    proptest! {
        #[test]
        fn times_are_written_and_read_as_the_library_does(ms in 0..=last()) {
            let (time, at) = (
                Time::from(Timestamp::from_millis(ms)),
                jiff::Timestamp::from_millisecond(ms as i64).expect("fits"),
            );
            let text = format!("{at:.3}");
            prop_assert_eq!(&time.to_string(), &text);
            prop_assert_eq!(Time::read(&text), Some(at));
            prop_assert_eq!(text.parse(), Ok(time));
        }

        #[test]
        fn what_looks_like_a_time_is_one_where_the_library_says_so(
            text in "[0-3]0[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9].[0-9]{3}Z"
        ) {
            let ours = text.parse::<Time>().ok();
            let library = text.parse::<jiff::Timestamp>().ok();
            let library = library.filter(|at| at.as_millisecond() >= 0).map(Time::from);
            prop_assert_eq!(ours, library);
        }
    }

    #[test]
    fn times_are_written_with_milliseconds_in_utc() {
        let time = Time::from(Timestamp::from_millis(1_769_846_400_000));
        assert_eq!(time.to_string(), "2026-01-31T08:00:00.000Z");
        assert_eq!("2026-01-31T09:00:00.0009+01:00".parse(), Ok(time));
    }

    #[test]
    fn times_before_1970_and_other_texts_are_refused() {
        assert!("1969-12-31T23:59:59Z".parse::<Time>().is_err());
        assert!("tomorrow".parse::<Time>().is_err());
    }

    #[test]
    fn a_time_that_a_calendar_cannot_hold_is_still_written() {
        assert!(
            Time::from(Timestamp::MAX)
                .to_string()
                .starts_with("9999-12-3")
        );
    }
}
