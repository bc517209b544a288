//! `show`: everything that a node knows of one image.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Options;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::{Exit, Result};
use crate::clock::Clock;
use crate::domain::ImageId;
use crate::domain::report::{Profile, Queue, Run, Span, State, Verification, Verifier};
use crate::domain::units;

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
    if !profile.wanted_by.is_empty() {
        let rules = profile.wanted_by.join(", ");
        lines.push(("Wanted", format!("by {rules}")));
    }
    if let Some(path) = &profile.path {
        let whole = profile.state == State::Cached;
        let size = profile.size.map_or("not known".to_owned(), bytes);
        lines.push(("Path", path.display().to_string()));
        lines.push(("Size", size));
        lines.push(("Here", bytes(profile.here)));
        if whole {
            lines.push(("Hits", profile.hits.to_string()));
            let saved = bytes(profile.saved_bytes);
            lines.push(("Saved", format!("{saved} by an estimate: hits x size")));
        }
        lines.extend(profile.last_accessed.map(|at| ("Last Accessed", time(at))));
        lines.extend(profile.last_modified.map(|at| ("Last Modified", time(at))));
        if whole {
            lines.extend(time_to_live(profile, now).map(|told| ("Time To Live", told)));
            lines.extend(turn(profile).map(|told| ("Eviction", told)));
        }
        lines.push(("Verification", verification(profile)));
        if let Some(verified) = &profile.verified {
            let by = match verified.by {
                Verifier::Fill => "by the fill that brought it in",
                Verifier::Serve => "by the service, when it was first served",
                Verifier::Sweep => "by a sweep",
            };
            let at = verified.at.map_or(String::new(), time);
            lines.push(("Verified", format!("{at} {by}")));
        }
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
        State::Queued => "queued: it is not here, and asked for",
        State::Absent => return "absent".to_owned(),
    };
    let queued = match (&profile.queued_by, profile.state) {
        (Some(rule), State::Queued) => format!(" by rule {rule}"),
        (Some(rule), _) => format!("; queued by rule {rule}"),
        (None, State::Queued) => String::new(),
        (None, _) if profile.queued => "; queued".to_owned(),
        (None, _) => String::new(),
    };
    format!("{state}{queued}")
}

/// How long it may stay unused, and when that is over, where it is known to be limited.
fn time_to_live(profile: &Profile, now: Option<DateTime<Utc>>) -> Option<String> {
    let life = profile.time_to_live?;
    let told = match now {
        Some(_) => units::duration(Duration::from_secs_f64(life.max(0.0)).as_secs()),
        None => format!("{life} seconds"),
    };
    let Some(at) = profile.expires_at else {
        return Some(format!("{told}, and it stays: it is pinned or wanted"));
    };
    let ends = match now {
        Some(now) => match u64::try_from((at - now).num_seconds()) {
            Ok(left) if left > 0 => format!("over in {}", units::duration(left)),
            _ => "over now".to_owned(),
        },
        None => format!("over at {}", units::utc_of(at)),
    };
    Some(format!("{told} after its last use, {ends}"))
}

/// Where it stands when room is needed, as far as that is known.
fn turn(profile: &Profile) -> Option<String> {
    let Some(turn) = profile.turn else {
        let pinned = profile.pinned_by.is_some();
        return pinned.then(|| "never: it is pinned".to_owned());
    };
    let queue = match turn.queue {
        Queue::Lru => "lru",
        Queue::Trial => "s3-fifo: on trial",
        Queue::Kept => "s3-fifo: kept",
    };
    let (place, of) = (turn.before + 1, turn.of);
    let uses = match (turn.queue, turn.uses) {
        (Queue::Lru, _) => String::new(),
        (_, 0) => ", not used since its last turn".to_owned(),
        (_, uses) => format!(", uses since its last turn: {uses}"),
    };
    let last = if profile.wanted_by.is_empty() {
        ""
    } else {
        ", after all that no rule wants"
    };
    Some(format!("{queue}, turn {place} of {of}{uses}{last}"))
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
            saved_bytes: 0,
            time_to_live: None,
            expires_at: None,
            turn: None,
            queued_by: None,
            wanted_by: Vec::new(),
            verification: Verification::None,
            verified: None,
            digest: None,
            span_size: 4 << 20,
            spans: Vec::new(),
        };
        let told = lines(&profile, None);
        assert_eq!(told[1..], [("State", "absent".to_owned())],);
    }
}
