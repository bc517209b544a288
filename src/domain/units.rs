//! Times and sizes, exact for scripts and short for people.

use std::time::Duration;

use chrono::{DateTime, Utc};

const MICROS: f64 = 1e6;

/// A time in UTC as `2026-11-21T10:00:00.123456`; whole seconds go without the fraction.
pub fn utc(seconds: f64) -> String {
    // To the nearest microsecond, as the listing has always had it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is checked next"
    )]
    let micros = (seconds * MICROS).round_ties_even() as i64;
    DateTime::from_timestamp_micros(micros).map_or("N/A".to_owned(), utc_of)
}

/// The same of a time.
pub fn utc_of(time: DateTime<Utc>) -> String {
    let format = if time.timestamp_subsec_micros() == 0 {
        "%Y-%m-%dT%H:%M:%S"
    } else {
        "%Y-%m-%dT%H:%M:%S%.6f"
    };
    time.format(format).to_string()
}

/// How long ago, in the largest unit that fits.
#[expect(clippy::cast_possible_truncation, reason = "saturates; nobody minds")]
pub fn ago(seconds: f64, now: DateTime<Utc>) -> String {
    passed(now.timestamp().saturating_sub(seconds as i64))
}

/// The same of a time.
pub fn ago_of(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    passed(now.timestamp().saturating_sub(time.timestamp()))
}

fn passed(passed: i64) -> String {
    let units = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    for (length, name) in units {
        let count = passed / length;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {name}{plural} ago");
        }
    }
    "now".to_owned()
}

/// Reads a duration: seconds, or `90s`, `45m`, `12h`, `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let must = || "a number of seconds, or of others with s, m, h or d".to_owned();
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (count, unit) = text.split_at(end.unwrap_or(text.len()));
    let count: u64 = count.parse().map_err(|_| must())?;
    let seconds: u64 = match unit.trim_start() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(must()),
    };
    let seconds = count.checked_mul(seconds).ok_or_else(must)?;
    Ok(Duration::from_secs(seconds))
}

/// A duration in its two largest units.
pub fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min {:02} s", seconds % 60),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// A part of a whole in percent, with one decimal.
pub fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    let (part, all) = (u128::from(part), u128::from(all));
    let tenths = (part * 2000 + all) / (2 * all);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A size in the largest unit that fits, with one decimal.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    // Two integers instead of a float: exact for every size.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_only_where_there_are_some() {
        assert_eq!(utc(1_700_000_000.0), "2023-11-14T22:13:20");
        assert_eq!(utc(1_700_000_000.5), "2023-11-14T22:13:20.500000");
        assert_eq!(utc(1_763_719_822.012_345_6), "2025-11-21T10:10:22.012346");
        assert_eq!(utc(1_785_000_000.999_999_9), "2026-07-25T17:20:01");
    }

    #[test]
    fn a_time_beyond_all_calendars_is_not_shown() {
        assert_eq!(utc(f64::MAX), "N/A");
    }

    #[test]
    fn a_part_of_nothing_is_none() {
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(2, 3), "66.7%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0%");
    }

    #[test]
    fn sizes_take_the_largest_unit_that_fits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(10 << 20), "10.0 MiB");
        assert_eq!(size(u64::MAX), "15.9 EiB");
    }

    #[test]
    fn durations_are_read_with_units() {
        assert_eq!(parse_duration("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(parse_duration("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "x", "5 weeks", "99999999999999999999", "-1"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_take_two_units() {
        assert_eq!(duration(7), "7 s");
        assert_eq!(duration(61), "1 min 01 s");
        assert_eq!(duration(2 * 3600 + 5 * 60 + 59), "2 h 05 min");
    }

    #[test]
    fn times_can_be_told_from_now() {
        let now = DateTime::from_timestamp(100_000, 0).unwrap();
        assert_eq!(ago(100_000.0, now), "now");
        assert_eq!(ago(99_999.0, now), "1 second ago");
        assert_eq!(ago(92_800.0, now), "2 hours ago");
        assert_eq!(ago(200_000.0, now), "now");
    }
}
