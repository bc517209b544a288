//! Times as clients write and read them.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};

/// The form in documents: whole seconds in UTC.
#[must_use]
pub fn format(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads ISO 8601: a date, or a date and a time, with or without a zone. UTC is meant where none is given.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let Some((date, time)) = text.split_once(['T', ' ']) else {
        let midnight = parse_date(text)?.and_hms_opt(0, 0, 0)?;
        return Some(midnight.and_utc());
    };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let date = parse_date(date)?.format("%Y-%m-%d");
    let time = (["%H:%M:%S%.f", "%H:%M"].into_iter()).find_map(|form| {
        NaiveDateTime::parse_from_str(&format!("{date}T{time}"), &format!("%Y-%m-%dT{form}")).ok()
    })?;
    let local = parse_zone(zone)?.from_local_datetime(&time).single()?;
    Some(local.with_timezone(&Utc))
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    NaiveDate::parse_from_str(&whole, "%Y-%m-%d").ok()
}

fn parse_zone(text: &str) -> Option<FixedOffset> {
    if text == "Z" {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let digits = digits.replace(':', "");
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })
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
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
