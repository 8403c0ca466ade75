use std::fmt;
use std::str::FromStr;

use russet_core::Timestamp;
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
        write!(f, "{:.3}", jiff::Timestamp::from(*self))
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.chars().take(60).collect());
        let at: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        let ms = u64::try_from(at.as_millisecond()).map_err(|_| wrong())?;
        Ok(Self(Timestamp::from_millis(ms)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
