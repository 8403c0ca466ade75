//! Points in time and durations, both whole milliseconds.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, Range, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calendar::date;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Count);

/// A duration in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(Count);

/// A number of milliseconds up to `u64::MAX - 1`, kept one higher: so an `Option` of it takes
/// no more room than itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Count(NonZeroU64);

impl Count {
    const ZERO: Self = Self(NonZeroU64::MIN);
    const MAX: Self = Self(NonZeroU64::MAX);

    /// The number, or the greatest one when it is greater.
    const fn new(number: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(number))
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

macro_rules! count {
    ($name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_millis())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.as_millis().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u64::deserialize(deserializer).map(|number| Self(Count::new(number)))
            }
        }
    };
}

count!(Timestamp);
count!(Millis);

impl Timestamp {
    /// The Unix epoch.
    pub const ZERO: Self = Self(Count::ZERO);
    /// Later than every time that a clock will show.
    pub const MAX: Self = Self(Count::MAX);

    /// The time `ms` milliseconds after the Unix epoch.
    pub const fn from_millis(ms: u64) -> Self {
        Self(Count::new(ms))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis::new(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(Count::ZERO);

    /// A duration of `ms` milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(Count::new(ms))
    }

    /// A duration of `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::new(seconds.saturating_mul(1_000))
    }

    /// A duration of `days` days.
    pub const fn from_days(days: u64) -> Self {
        Self::from_secs(days.saturating_mul(86_400))
    }

    /// The duration in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// This duration `times` over, or the longest one.
    pub const fn times(self, times: u64) -> Self {
        Self::new(self.as_millis().saturating_mul(times))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, by: Millis) -> Self {
        Self::from_millis(self.as_millis().saturating_add(by.as_millis()))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;
    fn sub(self, by: Millis) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(by.as_millis()))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, by: Self) -> Self {
        Self::new(self.as_millis().saturating_add(by.as_millis()))
    }
}

impl From<Millis> for core::time::Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.as_millis())
    }
}

impl Timestamp {
    /// The form of [`Self::rfc3339`]; zeros stand for digits.
    pub const RFC3339: [u8; 24] = *b"0000-00-00T00:00:00.000Z";

    /// As RFC 3339 writes it, in UTC with milliseconds; what lies behind the year 9999 as the end
    /// of that.
    pub fn rfc3339(self) -> [u8; Self::RFC3339.len()] {
        const LAST_MS: u64 = 253_402_300_799_999;
        let ms = self.as_millis().min(LAST_MS);
        let seconds = ms / 1_000;
        let (year, month, day) = date(seconds / 86_400);
        let mut text = Self::RFC3339;
        let mut digits = |place: Range<usize>, mut rest: u64| {
            for digit in text[place].iter_mut().rev() {
                *digit += (rest % 10) as u8;
                rest /= 10;
            }
        };
        digits(0..4, year);
        digits(5..7, month.into());
        digits(8..10, day.into());
        digits(11..13, seconds / 3_600 % 24);
        digits(14..16, seconds / 60 % 60);
        digits(17..19, seconds % 60);
        digits(20..23, ms % 1_000);
        text
    }
}

/// As RFC 3339 writes it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.rfc3339()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_time_is_shown_as_rfc_3339_writes_it() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_796_111_645_007, "2026-12-01T07:54:05.007Z"),
        ] {
            assert_eq!(Timestamp::from_millis(ms).to_string(), text);
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    }
}
