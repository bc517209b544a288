//! `Range`, and the `Content-Range` that old clients send in its place.
//!
//! What counts is what the original makes of a header, which reads a beginning that fits and ignores what
//! follows it: `bytes=0-x` asks for everything.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{CONTENT_RANGE, RANGE};
use http::request::Parts;

use crate::ops::range::{RangeError, RequestedRange};

/// The part of an image that a request asks for; none where it asks for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range(pub Option<RequestedRange>);

impl<S: Sync> FromRequestParts<S> for Range {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(of(&parts.headers)))
    }
}

fn of(headers: &HeaderMap) -> Option<RequestedRange> {
    // A value that is no text is read as an empty one, which is no range either.
    let text = |name| Some(headers.get(name)?.to_str().unwrap_or_default());
    let read = match (text(RANGE), text(CONTENT_RANGE)) {
        (Some(range), _) => parse(range),
        (None, Some(content_range)) => parse_content(content_range),
        (None, None) => return None,
    };
    Some(read.unwrap_or_else(RequestedRange::Refused))
}

/// Reads the value of `Range`: `bytes=first-last`, `bytes=first-` or `bytes=-count`.
pub fn parse(value: &str) -> Result<RequestedRange, RangeError> {
    if value.contains(',') {
        return Err(RangeError::Multiple);
    }
    read_range(value).ok_or(RangeError::Invalid)
}

fn read_range(value: &str) -> Option<RequestedRange> {
    let (unit, rest) = value.split_at_checked("bytes".len())?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let rest = spaces(spaces(rest).strip_prefix('=')?);
    let (first, rest) = digits(rest);
    let rest = spaces(spaces(rest).strip_prefix('-')?);
    let (last, _) = digits(rest);
    match (first, last) {
        (Some(first), Some(last)) if last < first => None,
        (Some(first), last) => Some(RequestedRange::FromTo(first, last)),
        (None, Some(count)) => Some(RequestedRange::Last(count)),
        (None, None) => None,
    }
}

/// Reads the value of a request's `Content-Range`: `bytes first-last/length`, the length may be `*`.
pub fn parse_content(value: &str) -> Result<RequestedRange, RangeError> {
    read_content(value).ok_or(RangeError::InvalidContent)
}

fn read_content(value: &str) -> Option<RequestedRange> {
    let (first, rest) = digits(value.strip_prefix("bytes ")?);
    let (last, rest) = digits(rest.strip_prefix('-')?);
    let rest = rest.strip_prefix('/')?;
    let length = match digits(rest) {
        (Some(length), _) => Some(length),
        (None, rest) => {
            rest.strip_prefix('*')?;
            None
        }
    };
    Some(RequestedRange::Content {
        first: first?,
        last: last?,
        length,
    })
}

/// The number that a text begins with, and what follows. One that no image can reach is the largest.
fn digits(text: &str) -> (Option<u64>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if number.is_empty() {
        return (None, rest);
    }
    (Some(number.parse().unwrap_or(u64::MAX)), rest)
}

fn spaces(text: &str) -> &str {
    text.trim_start_matches(' ')
}

#[cfg(test)]
mod tests {
    use super::RequestedRange::{Content, FromTo, Last};
    use super::*;

    #[test]
    fn the_three_forms_are_read() {
        assert_eq!(parse("bytes=0-99"), Ok(FromTo(0, Some(99))));
        assert_eq!(parse("bytes=50000-"), Ok(FromTo(50000, None)));
        assert_eq!(parse("bytes=-500"), Ok(Last(500)));
        assert_eq!(parse("bytes=-0"), Ok(Last(0)));
    }

    #[test]
    fn case_and_spaces_do_not_matter() {
        assert_eq!(parse("BYTES=0-5"), Ok(FromTo(0, Some(5))));
        assert_eq!(parse("bytes = 0-5"), Ok(FromTo(0, Some(5))));
        assert_eq!(parse("bytes=0 - 5"), Ok(FromTo(0, Some(5))));
    }

    #[test]
    fn what_follows_is_ignored() {
        assert_eq!(parse("bytes=0-x"), Ok(FromTo(0, None)));
        assert_eq!(parse("bytes=0-5x"), Ok(FromTo(0, Some(5))));
    }

    #[test]
    fn several_ranges_are_refused_before_anything_else() {
        for value in ["bytes=0-1,5-9", "bytes=0-,-5", "items=1,2"] {
            assert_eq!(parse(value), Err(RangeError::Multiple), "{value}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=-x",
            "bytes=abc",
            "items=0-5",
            "bytes 0-5",
            "bytes=5-4",
            "bytés=0-1",
        ] {
            assert_eq!(parse(value), Err(RangeError::Invalid), "{value}");
        }
    }

    #[test]
    fn numbers_that_no_image_reaches_are_the_largest() {
        let huge = "9".repeat(40);
        assert_eq!(
            parse(&format!("bytes=1-{huge}")),
            Ok(FromTo(1, Some(u64::MAX)))
        );
    }

    #[test]
    fn a_content_range_is_read_with_and_without_length() {
        let read = |length| {
            Ok(Content {
                first: 1,
                last: 4,
                length,
            })
        };
        assert_eq!(parse_content("bytes 1-4/*"), read(None));
        assert_eq!(parse_content("bytes 1-4/10"), read(Some(10)));
        for value in [
            "bytes */10",
            "bytes=1-4/10",
            "bytes 1-4",
            "bytes 1-4/",
            "1-4/10",
        ] {
            assert_eq!(
                parse_content(value),
                Err(RangeError::InvalidContent),
                "{value}"
            );
        }
    }

    #[test]
    fn range_comes_before_content_range() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.insert(CONTENT_RANGE, "bytes 1-4/*".parse().unwrap());
        assert!(matches!(of(&headers), Some(Content { .. })));
        headers.insert(RANGE, "bytes=abc".parse().unwrap());
        assert_eq!(
            of(&headers),
            Some(RequestedRange::Refused(RangeError::Invalid))
        );
    }
}
