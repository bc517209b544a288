//! `show`: everything that a node knows of one image.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Options;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::{Exit, Result, units};
use crate::clock::Clock;
use crate::domain::ImageId;
use crate::domain::report::{Profile, Run, Span, State, Verification};

/// The most marks in a map: what fits into a line of a terminal beside the names.
const MARKS: u64 = 60;

pub fn show(
    place: &Place,
    id: ImageId,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let profile = place.profile(id)?;
    if options.json {
        console.json(&json!(profile))?;
        return Ok(Exit::Success);
    }
    let now = options.human.then(|| Clock::system().now());
    for (name, value) in lines(&profile, now) {
        console.result(format!("{name:14} {value}"))?;
    }
    Ok(Exit::Success)
}

/// What is told, line by line; with a time for people, who get units and distances.
fn lines(profile: &Profile, now: Option<DateTime<Utc>>) -> Vec<(&'static str, String)> {
    let bytes = |bytes: u64| match now {
        Some(_) => units::size(bytes),
        None => bytes.to_string(),
    };
    let time = |time: DateTime<Utc>| match now {
        Some(now) => units::ago_of(time, now),
        None => units::utc_of(time),
    };
    let mut lines = vec![
        ("Image", profile.image_id.to_string()),
        ("State", state(profile)),
    ];
    let pinned = match profile.pinned_by.as_deref() {
        None => "no".to_owned(),
        Some("") => "yes, by its ID".to_owned(),
        Some(reason) => format!("yes, by {reason}"),
    };
    // What is neither here nor pinned has little to tell.
    if profile.path.is_some() || profile.pinned_by.is_some() {
        lines.push(("Pinned", pinned));
    }
    if let Some(path) = &profile.path {
        let whole = profile.state == State::Cached;
        let size = profile.size.map_or("not known".to_owned(), bytes);
        lines.push(("Path", path.display().to_string()));
        lines.push(("Size", size));
        lines.push(("Here", bytes(profile.here)));
        if whole {
            lines.push(("Hits", profile.hits.to_string()));
        }
        lines.extend(profile.last_accessed.map(|at| ("Last Accessed", time(at))));
        lines.extend(profile.last_modified.map(|at| ("Last Modified", time(at))));
        lines.push(("Verification", verification(profile)));
    }
    if !profile.spans.is_empty() {
        let all: u64 = profile.spans.iter().map(|run| run.count).sum();
        let (marks, each) = map(&profile.spans);
        let missing = profile.count(Span::Missing);
        let checked = profile.count(Span::Checksummed);
        lines.push((
            "Spans",
            format!(
                "{all} of {}: {} here, {checked} with checksums, {missing} missing",
                units::size(profile.span_size),
                all - missing,
            ),
        ));
        let what = match each {
            1 => "a mark for each span".to_owned(),
            each => format!("a mark for {each} spans"),
        };
        lines.push((
            "Map",
            format!("[{marks}] {what}: # checksummed, o here, + some, . missing"),
        ));
    }
    lines
}

fn state(profile: &Profile) -> String {
    let state = match profile.state {
        State::Cached => "cached",
        State::Growing => "growing: somebody brings it in",
        State::Part => "part: spans that cut fills and ranges have left",
        State::Queued => return "queued: it is not here, and asked for".to_owned(),
        State::Absent => return "absent".to_owned(),
    };
    let queued = if profile.queued { "; queued" } else { "" };
    format!("{state}{queued}")
}

fn verification(profile: &Profile) -> String {
    let what = match profile.verification {
        Verification::Proven => "proven when it came, and each span has a checksum",
        Verification::Checksummed => "each span has a checksum; the image has no digest",
        Verification::Unproven => {
            "not yet: somebody else put it there, and it is proven when it is served"
        }
        Verification::Pending => "when it is whole",
        Verification::None => "nothing is there",
    };
    match &profile.digest {
        Some(digest) => format!("{what} ({digest})"),
        None => what.to_owned(),
    }
}

/// A mark for so many spans, and how many that are.
fn map(runs: &[Run]) -> (String, u64) {
    let all: u64 = runs.iter().map(|run| run.count).sum();
    let each = all.div_ceil(MARKS).max(1);
    let mut marks = String::new();
    let mut runs = runs.iter().copied();
    let mut run = runs.next();
    let mut at = 0;
    while at < all {
        let mut left = each.min(all - at);
        let mut seen: Option<char> = None;
        at += left;
        while left > 0
            && let Some(current) = &mut run
        {
            let taken = left.min(current.count);
            let mark = match current.span {
                Span::Checksummed => '#',
                Span::Here => 'o',
                Span::Missing => '.',
            };
            seen = Some(seen.filter(|seen| *seen != mark).map_or(mark, |_| '+'));
            left -= taken;
            current.count -= taken;
            if current.count == 0 {
                run = runs.next();
            }
        }
        marks.extend(seen);
    }
    (marks, each)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(counts: &[(Span, u64)]) -> Vec<Run> {
        let run = |(span, count): &(Span, u64)| Run {
            span: *span,
            count: *count,
        };
        counts.iter().map(run).collect()
    }

    #[test]
    fn a_small_image_has_a_mark_for_each_span() {
        let runs = runs(&[(Span::Checksummed, 3), (Span::Missing, 2), (Span::Here, 1)]);
        assert_eq!(map(&runs), ("###..o".to_owned(), 1));
    }

    #[test]
    fn a_large_image_fits_into_a_line() {
        let runs = runs(&[
            (Span::Checksummed, 1000),
            (Span::Missing, 100_001),
            (Span::Checksummed, 899),
        ]);
        let (marks, each) = map(&runs);
        assert_eq!(each, 1699);
        assert!(marks.starts_with("+..") && marks.ends_with(".+"), "{marks}");
        assert_eq!(marks.len(), 60);
    }

    #[test]
    fn what_is_absent_needs_two_lines() {
        let profile = Profile {
            image_id: "6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9".parse().unwrap(),
            state: State::Absent,
            queued: false,
            pinned_by: None,
            path: None,
            size: None,
            here: 0,
            hits: 0,
            last_accessed: None,
            last_modified: None,
            verification: Verification::None,
            digest: None,
            span_size: 4 << 20,
            spans: Vec::new(),
        };
        let told = lines(&profile, None);
        assert_eq!(told[1..], [("State", "absent".to_owned())],);
    }
}
