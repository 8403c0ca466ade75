//! Times as people say them.

use std::time::Duration;

/// Largest first: how many milliseconds a unit has, and what it is called.
const UNITS: [(u64, &str); 4] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
];

/// A duration in its two largest units: `3d 4h`, `5m 10s`, `1.5s`, `20ms`.
pub fn lasting(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match ms {
        0..1_000 => return format!("{ms}ms"),
        1_000..60_000 => {
            let (whole, tenths) = (ms / 1_000, ms % 1_000 / 100);
            return match tenths {
                0 => format!("{whole}s"),
                _ => format!("{whole}.{tenths}s"),
            };
        }
        _ => {}
    }
    let large = UNITS.iter().position(|(unit, _)| ms >= *unit).unwrap_or(0);
    let (unit, name) = UNITS[large];
    let rest = UNITS
        .get(large + 1)
        .map(|(small, name)| (ms % unit / small, name));
    match rest {
        Some((few @ 1.., small)) => format!("{}{name} {few}{small}", ms / unit),
        _ => format!("{}{name}", ms / unit),
    }
}

/// A time as seen from `now`, both in milliseconds since the Unix epoch: `5m ago`, `in 2h`, `now`.
pub fn relative(at_ms: u64, now_ms: u64) -> String {
    let apart = at_ms.abs_diff(now_ms);
    if apart < 1_000 {
        return "now".into();
    }
    match at_ms > now_ms {
        true => format!("in {}", coarse(apart)),
        false => format!("{} ago", coarse(apart)),
    }
}

/// The largest unit alone, rounded: what is due in 4m 59s is due in 5m.
fn coarse(ms: u64) -> String {
    let unit = UNITS.iter().find(|(unit, _)| ms + unit / 60 >= *unit);
    let (unit, name) = unit.unwrap_or(&UNITS[UNITS.len() - 1]);
    format!("{}{name}", (ms + unit / 2) / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_in_its_two_largest_units() {
        let said = |ms| lasting(Duration::from_millis(ms));
        assert_eq!(said(20), "20ms");
        assert_eq!(said(1_540), "1.5s");
        assert_eq!(said(30_000), "30s");
        assert_eq!(said(310_000), "5m 10s");
        assert_eq!(said(7_200_000), "2h");
        assert_eq!(said(90_061_000), "1d 1h");
    }

    #[test]
    fn a_time_is_said_as_seen_from_now() {
        assert_eq!(relative(1_000_000, 1_000_400), "now");
        assert_eq!(relative(0, 300_000), "5m ago");
        assert_eq!(relative(7_300_000, 0), "in 2h");
        assert_eq!(relative(299_900, 0), "in 5m");
        assert_eq!(relative(3_599_900, 0), "in 1h");
        assert_eq!(relative(86_000_000, 0), "in 1d");
        assert_eq!(relative(0, 1_400), "1s ago");
    }
}
