use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

#[cfg(test)]
mod tests;

use crate::Timestamp;
use crate::calendar::{date, days_in};

const MS_PER_MINUTE: u64 = 60_000;
const MS_PER_DAY: u64 = 86_400_000;
/// After this many months the calendar repeats, weekdays included.
const MONTHS_PER_CYCLE: u32 = 400 * 12;

/// When something recurs, in UTC: the five fields of cron, each a set of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both fields of days are restricted: a day that is in one of them will do.
    either_day: bool,
}

/// A field of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronField {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or jan to dec.
    Month,
    /// 0 to 7, 0 and 7 both Sunday, or sun to sat.
    DayOfWeek,
}

/// Why a text is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// There are too few or too many fields.
    #[error("a schedule has 5 fields, minute hour day-of-month month day-of-week, not {found}")]
    FieldCount {
        /// How many there are.
        found: usize,
    },
    /// There is no such short form.
    #[error("{text} is not a schedule: use @hourly, @daily, @weekly, @monthly or @yearly")]
    UnknownShortForm {
        /// The text.
        text: String,
    },
    /// A part of one field is not understood.
    #[error("{field}: {part:?} {problem} (use {})", field.accepts())]
    Field {
        /// Which field.
        field: CronField,
        /// The part of it between two commas.
        part: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl CronField {
    const ALL: [Self; 5] = [
        Self::Minute,
        Self::Hour,
        Self::DayOfMonth,
        Self::Month,
        Self::DayOfWeek,
    ];

    const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    const fn accepts(self) -> &'static str {
        match self {
            Self::Minute => "0-59, *, */15, 0,30",
            Self::Hour => "0-23, *, */2, 9-17",
            Self::DayOfMonth => "1-31, *, */2, 1,15",
            Self::Month => "1-12, jan-dec, *, */3",
            Self::DayOfWeek => "0-7, sun-sat, *, mon-fri",
        }
    }

    /// Names of the field's numbers, the first for its lowest.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &[
                "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            ],
            Self::DayOfWeek => &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
            _ => &[],
        }
    }

    fn number(self, text: &str) -> Result<u8, &'static str> {
        let (least, most) = self.bounds();
        let mut names = self.names().iter();
        if let Some(at) = names.position(|name| text.eq_ignore_ascii_case(name)) {
            return Ok(least + at as u8);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err("is not a number, a range or a name");
        }
        let number = text.parse().map_err(|_| "is out of range")?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err("is out of range")
        }
    }

    /// The numbers that one part of the field names, as bits.
    fn part(self, part: &str) -> Result<u64, &'static str> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (least, most) = self.bounds();
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (self.number(first)?, self.range_end(last)?),
            None => {
                let number = self.number(range)?;
                (number, if step.is_some() { most } else { number })
            }
        };
        if first > last {
            return Err("ends before it starts");
        }
        let step: usize = match step.map(str::parse) {
            None => 1,
            Some(Ok(step)) if step > 0 => step,
            Some(_) => return Err("has a step that is not a positive number"),
        };
        Ok((first..=last)
            .step_by(step)
            .fold(0, |bits, n| bits | 1 << n))
    }

    /// A week may end with Sunday by name.
    fn range_end(self, text: &str) -> Result<u8, &'static str> {
        match self.number(text)? {
            0 if self == Self::DayOfWeek && !text.starts_with('0') => Ok(7),
            number => Ok(number),
        }
    }

    fn parse(self, text: &str) -> Result<u64, CronError> {
        text.split(',').try_fold(0, |bits, part| {
            let more = self.part(part).map_err(|problem| CronError::Field {
                field: self,
                part: part.chars().take(60).collect(),
                problem,
            })?;
            Ok(bits | more)
        })
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

impl FromStr for Schedule {
    type Err = CronError;

    /// Reads five fields, or a short form such as `@hourly`. As in cron, a day must be in both
    /// fields of days when one of them starts with `*`, and in either of them otherwise.
    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = long_form(text.trim())?.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::FieldCount {
                found: fields.len(),
            });
        };
        let texts = [minute, hour, day, month, weekday];
        let mut sets = [0; 5];
        for ((set, field), text) in sets.iter_mut().zip(CronField::ALL).zip(texts) {
            *set = field.parse(text)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        Ok(Self {
            minutes,
            hours,
            days,
            months,
            weekdays: weekdays | weekdays >> 7,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }
}

fn long_form(text: &str) -> Result<&str, CronError> {
    Ok(match text {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ if text.starts_with('@') => {
            let text = text.chars().take(60).collect();
            return Err(CronError::UnknownShortForm { text });
        }
        fields => fields,
    })
}

/// The first time after `after` at which `schedule` fires; `None` when it never does, as on
/// 30 February.
pub fn next_fire(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let minute = after.as_millis() / MS_PER_MINUTE + 1;
    let from = minute.checked_mul(MS_PER_MINUTE)?;
    let today = from / MS_PER_DAY;
    let first_minute = (from % MS_PER_DAY / MS_PER_MINUTE) as u32;
    if schedule.includes_day(today)
        && let Some(minute) = schedule.minute_from(first_minute)
    {
        return at(today, minute);
    }
    let day = schedule.day_after(today)?;
    at(day, schedule.minute_from(0)?)
}

fn at(day: u64, minute: u32) -> Option<Timestamp> {
    let start = day.checked_mul(MS_PER_DAY)?;
    let time = start.checked_add(u64::from(minute) * MS_PER_MINUTE)?;
    Some(Timestamp::from_millis(time))
}

impl Schedule {
    /// The first minute of a day, not before `minute`, at which it fires.
    fn minute_from(&self, minute: u32) -> Option<u32> {
        (minute..24 * 60).find(|m| has(self.hours, m / 60) && has(self.minutes, m % 60))
    }

    fn includes_day(&self, day: u64) -> bool {
        let (_, month, day_of_month) = date(day);
        has(self.months, month) && self.includes(day, day_of_month)
    }

    /// Whether the fields of days include the day, whatever its month.
    fn includes(&self, day: u64, day_of_month: u32) -> bool {
        // 1 January 1970 was a Thursday.
        let by_week = has(self.weekdays, ((day + 4) % 7) as u32);
        let by_month = has(self.days, day_of_month);
        if self.either_day {
            by_week || by_month
        } else {
            by_week && by_month
        }
    }

    fn day_after(&self, today: u64) -> Option<u64> {
        let (mut year, mut month, day_of_month) = date(today);
        let mut start = today - u64::from(day_of_month - 1);
        for _ in 0..=MONTHS_PER_CYCLE {
            let days = days_in(year, month);
            if has(self.months, month) {
                let mut later = (1..=days).filter(|day| start + u64::from(day - 1) > today);
                if let Some(day) = later.find(|day| self.includes(start + u64::from(day - 1), *day))
                {
                    return Some(start + u64::from(day - 1));
                }
            }
            start += u64::from(days);
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
        }
        None
    }
}

fn has(set: u64, number: u32) -> bool {
    set >> number & 1 == 1
}
