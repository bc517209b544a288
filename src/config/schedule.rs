//! When a job runs: crontab(5) in local time.
//!
//! The `cron` crate keeps the calendar, but its language is another: seconds come first, the week
//! begins with 1 on Sunday, and a day must fit both day fields where crontab wants either. So the
//! fields are read here and handed over as plain lists of numbers, twice where either day counts.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};

/// Five fields as crontab(5) has them, or six with seconds in front.
#[derive(Clone, PartialEq)]
pub struct Schedule {
    text: String,
    /// One, or one for the days of the month and one for those of the week.
    parts: Vec<cron::Schedule>,
}

impl Schedule {
    /// Reads a schedule, or says what it must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, fields) = match fields.as_slice() {
            fields if fields.len() == 5 => ("0", fields),
            [second, fields @ ..] if fields.len() == 5 => (*second, fields),
            _ => return Err("five fields as in crontab(5), or six with seconds first".to_owned()),
        };
        let [minute, hour, day, month, weekday] = fields else {
            return Err("five fields as in crontab(5), or six with seconds first".to_owned());
        };
        let time = format!(
            "{} {} {}",
            SECOND.read(second)?,
            MINUTE.read(minute)?,
            HOUR.read(hour)?
        );
        let (days, month, weekdays) = (DAY.read(day)?, MONTH.read(month)?, WEEKDAY.read(weekday)?);
        // crontab(5): when both day fields are restricted, either is enough.
        let expressions = if day.contains('*') || weekday.contains('*') {
            vec![format!("{time} {days} {month} {weekdays}")]
        } else {
            vec![
                format!("{time} {days} {month} *"),
                format!("{time} * {month} {weekdays}"),
            ]
        };
        let parts = expressions
            .iter()
            .map(|expression| {
                cron::Schedule::from_str(expression).map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?;
        let schedule = Self {
            text: text.to_owned(),
            parts,
        };
        if schedule.next_after(&DateTime::UNIX_EPOCH).is_none() {
            return Err("a time that comes: there is no such day".to_owned());
        }
        Ok(schedule)
    }

    /// The first time after `time`; none where that is beyond the calendar, which ends in 2100.
    ///
    /// The clock's changes are taken as cron does: a time that the clock leaps over comes as much
    /// later as it leaps, and one that the clock shows twice comes once.
    pub fn next_after<Z: TimeZone>(&self, time: &DateTime<Z>) -> Option<DateTime<Z>> {
        self.parts
            .iter()
            .filter_map(|part| next_of(part, time))
            .min()
    }
}

/// Walks over the times on the wall until one names a moment after `time`.
fn next_of<Z: TimeZone>(part: &cron::Schedule, time: &DateTime<Z>) -> Option<DateTime<Z>> {
    let wall = Utc.from_utc_datetime(&time.naive_local());
    part.after(&wall)
        .filter_map(|wall| moment(&time.timezone(), wall.naive_utc()))
        .find(|next| next > time)
}

/// The moment at which clocks in `zone` show `wall`.
fn moment<Z: TimeZone>(zone: &Z, wall: NaiveDateTime) -> Option<DateTime<Z>> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => Some(moment),
        LocalResult::None => {
            // Clocks leap over it: the moment that would have shown it without the leap.
            let hours = TimeDelta::hours(3);
            let before = zone.from_local_datetime(&(wall - hours)).latest()?;
            Some(before + hours)
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({})", self.text)
    }
}

/// One of the fields: its bounds, and the names that stand for numbers.
struct Field {
    what: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const SECOND: Field = Field::of("second", 0, 59);
const MINUTE: Field = Field::of("minute", 0, 59);
const HOUR: Field = Field::of("hour", 0, 23);
const DAY: Field = Field::of("day of month", 1, 31);
const MONTH: Field = Field {
    what: "month",
    min: 1,
    max: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// 0 and 7 are Sunday.
const WEEKDAY: Field = Field {
    what: "day of week",
    min: 0,
    max: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Field {
    const fn of(what: &'static str, min: u32, max: u32) -> Self {
        Self {
            what,
            min,
            max,
            names: &[],
        }
    }

    /// Reads `1,5-10,*/15` into the list that the `cron` crate understands.
    fn read(&self, text: &str) -> Result<String, String> {
        if text == "*" {
            return Ok(text.to_owned());
        }
        let mut numbers = Vec::new();
        for item in text.split(',') {
            numbers.extend(self.item(item).ok_or_else(|| {
                format!(
                    "a schedule as in crontab(5), whose {} is {} to {}, not {item:?}",
                    self.what, self.min, self.max
                )
            })?);
        }
        if self.max == WEEKDAY.max {
            for number in &mut numbers {
                *number = *number % 7 + 1;
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        Ok(numbers.join(","))
    }

    fn item(&self, item: &str) -> Option<Vec<u32>> {
        let (range, step) = match item.split_once('/') {
            None => (item, 1),
            Some((range, step)) => (range, step.parse().ok().filter(|&step| step > 0)?),
        };
        let (first, last) = if range == "*" {
            (self.min, self.max)
        } else if let Some((first, last)) = range.split_once('-') {
            (self.number(first)?, self.number(last)?)
        } else {
            let number = self.number(range)?;
            // As cron has it, `5/10` is every tenth from the fifth on.
            (number, if step == 1 { number } else { self.max })
        };
        (first <= last).then(|| (first..=last).step_by(step).collect())
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(position) => u32::try_from(position).ok()? + self.min,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.min..=self.max).contains(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests;
