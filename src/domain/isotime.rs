//! Times as clients write and read them.

use std::sync::LazyLock;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone, Utc};
use regex::Regex;

/// The form in documents: whole seconds in UTC.
#[must_use]
pub fn format(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is read: the extended form and the basic one, mixed if need be, and as little of it as a year.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^
        (?<year>\d{4})
        (?:
            (?: -(?<month>\d{1,2}) (?: -?(?<day>\d{1,2}) )? | (?<month2>\d{2}) -?(?<day2>\d{1,2}) )
            (?:
                [T\ ] (?<hour>\d{2})
                (?: :?(?<minute>\d{2}) (?: :?(?<second>\d{1,2}) (?: [.,](?<fraction>\d+) )? )? )?
                (?<zone> Z | (?<sign>[-+]) (?<zone_hour>\d{2}) :? (?<zone_minute>\d{2})? )?
            )?
        )?$",
    )
    .expect("a constant")
});

/// Reads ISO 8601: a date, or a date and a time, with or without a zone. UTC is meant where none is given.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let parts = FORM.captures(text)?;
    let number = |names: &[&str], missing: u32| {
        let found = names.iter().find_map(|name| parts.name(name));
        found.map_or(Some(missing), |digits| digits.as_str().parse().ok())
    };
    let date = NaiveDate::from_ymd_opt(
        parts["year"].parse().ok()?,
        number(&["month", "month2"], 1)?,
        number(&["day", "day2"], 1)?,
    )?;
    let micros = parts.name("fraction").map_or("0", |digits| digits.as_str());
    let micros = format!("{micros:0<6.6}").parse().ok()?;
    let time = date.and_hms_micro_opt(
        number(&["hour"], 0)?,
        number(&["minute"], 0)?,
        number(&["second"], 0)?,
        micros,
    )?;
    let ahead = number(&["zone_hour"], 0)? * 3600 + number(&["zone_minute"], 0)? * 60;
    let ahead = i32::try_from(ahead).ok()?;
    let west = (parts.name("sign")).is_some_and(|sign| sign.as_str() == "-");
    let zone = FixedOffset::east_opt(if west { -ahead } else { ahead })?;
    let local = zone.from_local_datetime(&time).single()?;
    Some(local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        parse(text).map(format)
    }

    #[test]
    fn dates_and_times_are_read_with_and_without_a_zone() {
        let midnight = Some("2000-01-02T00:00:00Z".to_owned());
        assert_eq!(read("2000-01-02"), midnight);
        assert_eq!(read("2000-01-02T00:00:00"), midnight);
        assert_eq!(read("2000-01-02 00:00:00Z"), midnight);
        assert_eq!(read("2000-01-02T00:00"), midnight);
        assert_eq!(read("2000-01-02T01:00:00+01:00"), midnight);
        assert_eq!(read("2000-01-01T19:00:00.25-0500"), midnight);
        assert_eq!(read("20000102T000000Z"), midnight);
        assert_eq!(read("2000-1-2 00:00:00,5"), midnight);
        assert_eq!(read("2000-01-02T00"), midnight);
        assert_eq!(read("2000-01-02T0530+0530"), midnight);
        assert_eq!(read("2000"), Some("2000-01-01T00:00:00Z".to_owned()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2000-13-01T00:00:00Z",
            "2000-01-01T00:00:00 01:00",
            "2000-01-01T25:00:00Z",
            "a:b",
            "200001",
            "2000-W01-1",
            "2000-01-02T",
            "2000-01-02T00:00:00Z ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
