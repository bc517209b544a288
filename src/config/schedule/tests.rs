use chrono::{FixedOffset, NaiveDate, Offset};

use super::*;

/// The next three times after 2026-11-21 10:10:30, a Saturday.
fn next(text: &str) -> Vec<String> {
    let schedule = Schedule::parse(text).unwrap();
    let mut time = Utc.with_ymd_and_hms(2026, 11, 21, 10, 10, 30).unwrap();
    let mut times = Vec::new();
    while let Some(next) = schedule.next_after(&time).filter(|_| times.len() < 3) {
        times.push(next.format("%m-%d %H:%M:%S").to_string());
        time = next;
    }
    times
}

#[test]
fn five_fields_begin_with_the_minute() {
    assert_eq!(
        next("*/30 * * * *"),
        ["11-21 10:30:00", "11-21 11:00:00", "11-21 11:30:00"]
    );
    assert_eq!(
        next("15 */6 * * *"),
        ["11-21 12:15:00", "11-21 18:15:00", "11-22 00:15:00"]
    );
    assert_eq!(
        next("5-7 9 * * *"),
        ["11-22 09:05:00", "11-22 09:06:00", "11-22 09:07:00"]
    );
    assert_eq!(
        next("10 10 * * *"),
        ["11-22 10:10:00", "11-23 10:10:00", "11-24 10:10:00"]
    );
}

#[test]
fn six_fields_begin_with_the_second() {
    assert_eq!(
        next("*/20 * * * * *"),
        ["11-21 10:10:40", "11-21 10:11:00", "11-21 10:11:20"]
    );
    assert_eq!(
        next("59 59 23 31 12 *").first().map(String::as_str),
        Some("12-31 23:59:59")
    );
}

#[test]
fn zero_and_seven_are_sunday() {
    let sundays = ["11-22 00:00:00", "11-29 00:00:00", "12-06 00:00:00"];
    for weekday in ["0", "7", "sun", "SUN"] {
        assert_eq!(next(&format!("0 0 * * {weekday}")), sundays, "{weekday}");
    }
    assert_eq!(
        next("0 0 * * 1"),
        ["11-23 00:00:00", "11-30 00:00:00", "12-07 00:00:00"]
    );
    assert_eq!(
        next("0 0 * * 6"),
        ["11-28 00:00:00", "12-05 00:00:00", "12-12 00:00:00"]
    );
}

#[test]
fn weekdays_have_ranges_and_steps() {
    assert_eq!(
        next("0 0 * * 5-7"),
        ["11-22 00:00:00", "11-27 00:00:00", "11-28 00:00:00"]
    );
    assert_eq!(
        next("0 0 * * mon-wed"),
        ["11-23 00:00:00", "11-24 00:00:00", "11-25 00:00:00"]
    );
    assert_eq!(
        next("0 0 * * 1-5/2"),
        ["11-23 00:00:00", "11-25 00:00:00", "11-27 00:00:00"]
    );
}

#[test]
fn either_day_is_enough_where_both_are_restricted() {
    assert_eq!(
        next("0 12 1,22 * mon"),
        ["11-22 12:00:00", "11-23 12:00:00", "11-30 12:00:00"]
    );
    assert_eq!(
        next("0 12 */2 * mon"),
        ["11-23 12:00:00", "12-07 12:00:00", "12-21 12:00:00"]
    );
}

#[test]
fn months_have_names() {
    assert_eq!(
        next("0 0 1 jan,Mar *")[..2],
        ["01-01 00:00:00", "03-01 00:00:00"]
    );
}

#[test]
fn a_day_that_never_comes_is_refused() {
    let refused = Schedule::parse("0 0 30 2 *").unwrap_err();
    assert_eq!(refused, "a time that comes: there is no such day");
}

#[test]
fn what_is_no_schedule_is_told() {
    for text in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1, * * * *",
        "* * * * * * *",
        "+1 * * * *",
    ] {
        assert!(Schedule::parse(text).is_err(), "{text}");
    }
}

/// Clocks that leap from 02:00 to 03:00 on 29 March 2026, and back on 25 October at 03:00.
#[derive(Debug, Clone, Copy)]
struct Berlin;

#[derive(Debug, Clone, Copy)]
struct BerlinOffset(i32);

impl Offset for BerlinOffset {
    fn fix(&self) -> FixedOffset {
        FixedOffset::east_opt(self.0 * 3600).unwrap()
    }
}

fn at(month: u32, day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    let date = NaiveDate::from_ymd_opt(2026, month, day).unwrap();
    date.and_hms_opt(hour, minute, 0).unwrap()
}

impl TimeZone for Berlin {
    type Offset = BerlinOffset;

    fn from_offset(_: &BerlinOffset) -> Self {
        Self
    }

    fn offset_from_local_date(&self, _: &NaiveDate) -> LocalResult<BerlinOffset> {
        LocalResult::None
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<BerlinOffset> {
        let offsets = [BerlinOffset(2), BerlinOffset(1)];
        let mut fitting = offsets
            .into_iter()
            .filter(|offset| self.offset_from_utc_datetime(&(*local - offset.fix())).0 == offset.0);
        match (fitting.next(), fitting.next()) {
            (Some(first), Some(second)) => LocalResult::Ambiguous(first, second),
            (Some(only), None) => LocalResult::Single(only),
            _ => LocalResult::None,
        }
    }

    fn offset_from_utc_date(&self, _: &NaiveDate) -> BerlinOffset {
        BerlinOffset(1)
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> BerlinOffset {
        let summer = at(3, 29, 1, 0)..at(10, 25, 1, 0);
        BerlinOffset(if summer.contains(utc) { 2 } else { 1 })
    }
}

fn next_in_berlin(text: &str, utc: NaiveDateTime) -> NaiveDateTime {
    let time = Berlin.from_utc_datetime(&utc);
    Schedule::parse(text)
        .unwrap()
        .next_after(&time)
        .unwrap()
        .naive_utc()
}

#[test]
fn a_time_that_the_clock_leaps_over_comes_later() {
    // 02:30 does not exist: it comes at 03:30 summer time, which is 01:30 UTC.
    assert_eq!(
        next_in_berlin("30 2 * * *", at(3, 28, 12, 0)),
        at(3, 29, 1, 30)
    );
    assert_eq!(
        next_in_berlin("30 2 * * *", at(3, 29, 1, 30)),
        at(3, 30, 0, 30)
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_comes_once() {
    assert_eq!(
        next_in_berlin("30 2 * * *", at(10, 24, 12, 0)),
        at(10, 25, 0, 30)
    );
    assert_eq!(
        next_in_berlin("30 2 * * *", at(10, 25, 0, 30)),
        at(10, 26, 1, 30)
    );
}

#[test]
fn every_moment_of_a_year_has_a_later_next() {
    let schedule = Schedule::parse("*/17 1-4 * * *").unwrap();
    let mut time = Berlin.from_utc_datetime(&at(1, 1, 0, 0));
    let end = Berlin.from_utc_datetime(&at(12, 31, 0, 0));
    while time < end {
        let next = schedule.next_after(&time).unwrap();
        assert!(
            next > time && next - time < TimeDelta::hours(24),
            "{next:?}"
        );
        time = next;
    }
}
