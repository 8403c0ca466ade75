use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

fn schedule(text: &str) -> Schedule {
    match text.parse() {
        Ok(schedule) => schedule,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// Minutes since the epoch of a time of day on a date, by counting days one by one.
fn minutes(year: u64, month: u32, day: u32, hour: u64, minute: u64) -> u64 {
    let years: u64 = (1970..year)
        .map(|y| (1..=12).map(|m| u64::from(days_in(y, m))).sum::<u64>())
        .sum();
    let months: u64 = (1..month).map(|m| u64::from(days_in(year, m))).sum();
    ((years + months + u64::from(day - 1)) * 24 + hour) * 60 + minute
}

fn time(at: (u64, u32, u32, u64, u64)) -> Timestamp {
    Timestamp::from_millis(minutes(at.0, at.1, at.2, at.3, at.4) * MS_PER_MINUTE)
}

#[test]
fn a_schedule_fires_at_the_next_minute_that_all_fields_name() {
    let cases = [
        ("* * * * *", (2026, 1, 1, 0, 0), (2026, 1, 1, 0, 1)),
        (
            "*/15 9-17 * * mon-fri",
            (2026, 11, 20, 17, 45),
            (2026, 11, 23, 9, 0),
        ),
        ("30 4 1,15 * *", (2026, 12, 15, 4, 30), (2027, 1, 1, 4, 30)),
        ("0 0 29 2 *", (2026, 1, 1, 0, 0), (2028, 2, 29, 0, 0)),
        ("0 0 29 2 *", (2096, 2, 29, 0, 0), (2104, 2, 29, 0, 0)),
        ("0 0 31 * *", (2026, 4, 1, 0, 0), (2026, 5, 31, 0, 0)),
        (
            "59 23 31 dec *",
            (2026, 12, 31, 23, 58),
            (2026, 12, 31, 23, 59),
        ),
        ("5/20 * * * *", (2026, 1, 1, 0, 25), (2026, 1, 1, 0, 45)),
        (
            "0 12 * * fri-sun",
            (2026, 11, 23, 0, 0),
            (2026, 11, 27, 12, 0),
        ),
        ("0 12 * JAN Mon", (2026, 11, 23, 0, 0), (2027, 1, 4, 12, 0)),
        ("@hourly", (2026, 1, 1, 0, 0), (2026, 1, 1, 1, 0)),
        ("@daily", (2026, 2, 28, 0, 0), (2026, 3, 1, 0, 0)),
        ("@weekly", (2026, 11, 23, 0, 0), (2026, 11, 29, 0, 0)),
        ("@monthly", (2026, 11, 23, 0, 0), (2026, 12, 1, 0, 0)),
        ("@yearly", (2026, 11, 23, 0, 0), (2027, 1, 1, 0, 0)),
    ];
    for (text, after, expected) in cases {
        assert_eq!(
            next_fire(&schedule(text), time(after)),
            Some(time(expected)),
            "{text}"
        );
    }
}

#[test]
fn a_day_restricted_by_month_and_week_needs_to_be_in_one_of_them() {
    let either = schedule("0 0 13 * fri");
    assert_eq!(
        next_fire(&either, time((2026, 11, 1, 0, 0))),
        Some(time((2026, 11, 6, 0, 0)))
    );
    assert_eq!(
        next_fire(&either, time((2026, 12, 11, 0, 0))),
        Some(time((2026, 12, 13, 0, 0)))
    );
    let both = schedule("0 0 */13 * fri");
    assert_eq!(
        next_fire(&both, time((2026, 11, 1, 0, 0))),
        Some(time((2026, 11, 27, 0, 0)))
    );
}

#[test]
fn a_time_between_two_minutes_waits_for_the_next_one() {
    let after = Timestamp::from_millis(1);
    assert_eq!(
        next_fire(&schedule("* * * * *"), after),
        Some(Timestamp::from_millis(MS_PER_MINUTE))
    );
}

#[test]
fn a_day_that_never_comes_and_the_end_of_time_give_none() {
    assert_eq!(next_fire(&schedule("0 0 30 2 *"), Timestamp::ZERO), None);
    assert_eq!(
        next_fire(&schedule("0 0 31 4,6,9,11 *"), Timestamp::ZERO),
        None
    );
    assert_eq!(next_fire(&schedule("* * * * *"), Timestamp::MAX), None);
    assert_eq!(next_fire(&schedule("0 0 29 2 *"), Timestamp::MAX), None);
}

#[test]
fn a_rare_combination_is_found_decades_later() {
    let sunday_leap_days = schedule("0 0 29 2 */7");
    let found = next_fire(&sunday_leap_days, time((2032, 3, 1, 0, 0)));
    assert_eq!(found, Some(time((2060, 2, 29, 0, 0))));
}

#[test]
fn errors_name_the_field_and_what_it_takes() {
    let error = |text: &str| text.parse::<Schedule>().map_err(|e| e.to_string()).err();
    let cases = [
        (
            "* * * *",
            "a schedule has 5 fields, minute hour day-of-month month day-of-week, not 4",
        ),
        (
            "",
            "a schedule has 5 fields, minute hour day-of-month month day-of-week, not 0",
        ),
        (
            "60 * * * *",
            r#"minute: "60" is out of range (use 0-59, *, */15, 0,30)"#,
        ),
        (
            "* 1-2-3 * * *",
            r#"hour: "1-2-3" is not a number, a range or a name (use 0-23, *, */2, 9-17)"#,
        ),
        (
            "* * 0 * *",
            r#"day of month: "0" is out of range (use 1-31, *, */2, 1,15)"#,
        ),
        (
            "* * * 3,foo *",
            r#"month: "foo" is not a number, a range or a name (use 1-12, jan-dec, *, */3)"#,
        ),
        (
            "* * * * 5-2",
            r#"day of week: "5-2" ends before it starts (use 0-7, sun-sat, *, mon-fri)"#,
        ),
        (
            "*/0 * * * *",
            r#"minute: "*/0" has a step that is not a positive number (use 0-59, *, */15, 0,30)"#,
        ),
        (
            "@often",
            "@often is not a schedule: use @hourly, @daily, @weekly, @monthly or @yearly",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text).as_deref(), Some(expected), "{text}");
    }
}

/// One field: its text, and whether a number is in it, told apart from the text.
fn field(least: u32, most: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let all = move || (least..=most).collect::<Vec<_>>();
    prop_oneof![
        Just(("*".to_string(), all())),
        (1u32..20).prop_map(move |step| {
            let every = (least..=most)
                .filter(|n| (n - least).is_multiple_of(step))
                .collect();
            (format!("*/{step}"), every)
        }),
        (least..=most, least..=most).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}"), (a..=b).collect())
        }),
        proptest::collection::vec(least..=most, 1..4).prop_map(|list| {
            let texts: Vec<_> = list.iter().map(u32::to_string).collect();
            (texts.join(","), list)
        }),
    ]
}

proptest! {
    #[test]
    fn the_next_time_is_the_one_that_a_scan_of_every_minute_finds(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), month in field(1, 12),
        weekday in field(0, 6), from in 0u64..100 * 365 * 24 * 60, ms in 0u64..MS_PER_MINUTE,
    ) {
        let text = [&minute, &hour, &day, &month, &weekday].map(|f| f.0.as_str()).join(" ");
        let either = !day.0.starts_with('*') && !weekday.0.starts_with('*');
        let fires = |at: u64| {
            let today = at / (24 * 60);
            let (_, this_month, this_day) = date(today);
            let by_month = day.1.contains(&this_day);
            let by_week = weekday.1.contains(&(((today + 4) % 7) as u32));
            minute.1.contains(&((at % 60) as u32))
                && hour.1.contains(&((at / 60 % 24) as u32))
                && month.1.contains(&this_month)
                && if either { by_month || by_week } else { by_month && by_week }
        };
        let scanned = (from + 1..from + 7 * 24 * 60).find(|at| fires(*at));
        let after = Timestamp::from_millis(from * MS_PER_MINUTE + ms);
        let found = next_fire(&schedule(&text), after);
        match scanned {
            Some(at) => prop_assert_eq!(found, Some(Timestamp::from_millis(at * MS_PER_MINUTE)), "{}", text),
            None => prop_assert!(found.is_none_or(|t| t.as_millis() >= (from + 7 * 24 * 60) * MS_PER_MINUTE)),
        }
    }

    #[test]
    fn dates_follow_one_another(day in 0u64..400 * 366) {
        let (year, month, in_month) = date(day);
        prop_assert!((1..=days_in(year, month)).contains(&in_month));
        let next = if in_month < days_in(year, month) {
            (year, month, in_month + 1)
        } else if month < 12 {
            (year, month + 1, 1)
        } else {
            (year + 1, 1, 1)
        };
        prop_assert_eq!(date(day + 1), next);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "[0-9a-z*/,@ -]{0,40}", at: u64) {
        if let Ok(schedule) = text.parse() {
            let next = next_fire(&schedule, Timestamp::from_millis(at));
            prop_assert!(next.is_none_or(|next| next.as_millis() > at));
        }
    }
}
