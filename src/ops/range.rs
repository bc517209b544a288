//! Parts of an image, as clients ask for them.
//!
//! Whether a range makes sense depends on the size of the image, and a client must not learn anything of
//! an image it may not see, not even that a range of it would be wrong. So what a client asked for is
//! carried along as it came, nonsense included, and resolved when the image has been found and allowed.

use crate::stream::ByteRange;

/// What a client asked for, before the size is known (RFC 9110, 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestedRange {
    /// `bytes=first-last`, last inclusive.
    FromTo(u64, Option<u64>),
    /// `bytes=-n`
    Last(u64),
    /// `Content-Range: bytes first-last/length` in a request, as old clients have it.
    Content {
        first: u64,
        last: u64,
        length: Option<u64>,
    },
    /// What came cannot be a range of anything.
    Refused(RangeError),
}

/// Why there is no such range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error(
        "Requests with multiple ranges are not supported in Glance. You may make multiple \
         single-range requests instead."
    )]
    Multiple,
    #[error("Invalid Range header.")]
    Invalid,
    #[error(
        "Invalid start position in Range header. Start position MUST be in the inclusive range \
         [0, {}].", last(*.size)
    )]
    Start { size: u64 },
    #[error("Invalid Content-Range header.")]
    InvalidContent,
    #[error(
        "Invalid start position in Content-Range header. Start position MUST be in the inclusive range [0, {}].", last(*.size)
    )]
    ContentStart { size: u64 },
    #[error(
        "Invalid stop position in Content-Range header. The stop position MUST be in the inclusive range [0, {}].", last(*.size)
    )]
    ContentStop { size: u64 },
}

/// The last position in so many bytes; -1 where there is none, as the original puts it.
fn last(size: u64) -> i128 {
    i128::from(size) - 1
}

impl RequestedRange {
    /// Refuses what is a range of nothing, whatever the size.
    pub fn check(self) -> Result<(), RangeError> {
        match self {
            RequestedRange::Refused(error) => Err(error),
            RequestedRange::Content {
                first,
                last,
                length,
            } if last < first || length.is_some_and(|length| last >= length) => {
                Err(RangeError::InvalidContent)
            }
            RequestedRange::FromTo(first, Some(last)) if last < first => Err(RangeError::Invalid),
            RequestedRange::FromTo(..)
            | RequestedRange::Last(_)
            | RequestedRange::Content { .. } => Ok(()),
        }
    }

    /// The part of an image of this size. What goes beyond its end is cut off there.
    pub fn resolve(self, size: u64) -> Result<ByteRange, RangeError> {
        self.check()?;
        let beyond = RangeError::Start { size };
        match self {
            RequestedRange::FromTo(first, _) if first >= size => Err(beyond),
            RequestedRange::FromTo(first, last) => Ok(ByteRange {
                start: first,
                end: last.map_or(size, |last| last.saturating_add(1).min(size)),
            }),
            RequestedRange::Last(_) if size == 0 => Err(beyond),
            // The last none are all: the original reads it so.
            RequestedRange::Last(count) => Ok(ByteRange {
                start: if count == 0 {
                    0
                } else {
                    size.saturating_sub(count)
                },
                end: size,
            }),
            RequestedRange::Content {
                first,
                last,
                length,
            } => {
                if last >= size {
                    // Without a length the original looks at the end first.
                    Err(if first >= size && length.is_some() {
                        RangeError::ContentStart { size }
                    } else {
                        RangeError::ContentStop { size }
                    })
                } else {
                    Ok(ByteRange {
                        start: first,
                        end: last + 1,
                    })
                }
            }
            RequestedRange::Refused(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RequestedRange::{Content, FromTo, Last, Refused};
    use super::*;

    fn resolved(range: RequestedRange, size: u64) -> Result<(u64, u64), RangeError> {
        range.resolve(size).map(|range| (range.start, range.end))
    }

    #[test]
    fn a_range_inside_the_image_is_what_it_says() {
        assert_eq!(resolved(FromTo(0, Some(0)), 100), Ok((0, 1)));
        assert_eq!(resolved(FromTo(99, Some(99)), 100), Ok((99, 100)));
        assert_eq!(resolved(FromTo(50, None), 100), Ok((50, 100)));
        assert_eq!(resolved(Last(1), 100), Ok((99, 100)));
        assert_eq!(resolved(Last(100), 100), Ok((0, 100)));
    }

    #[test]
    fn what_goes_beyond_the_end_is_cut_off() {
        assert_eq!(resolved(FromTo(99, Some(105)), 100), Ok((99, 100)));
        assert_eq!(resolved(FromTo(0, Some(u64::MAX)), 100), Ok((0, 100)));
        assert_eq!(resolved(Last(101), 100), Ok((0, 100)));
    }

    #[test]
    fn the_last_none_are_all() {
        assert_eq!(resolved(Last(0), 100), Ok((0, 100)));
    }

    #[test]
    fn a_start_beyond_the_end_is_refused_with_what_would_do() {
        let refused = FromTo(100, None).resolve(100).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Invalid start position in Range header. Start position MUST be in the inclusive range \
             [0, 99]."
        );
        assert_eq!(
            resolved(FromTo(0, None), 0),
            Err(RangeError::Start { size: 0 })
        );
        assert_eq!(resolved(Last(5), 0), Err(RangeError::Start { size: 0 }));
    }

    #[test]
    fn an_end_before_the_start_is_refused_whatever_the_size() {
        assert_eq!(resolved(FromTo(5, Some(4)), 100), Err(RangeError::Invalid));
        assert_eq!(
            resolved(FromTo(500, Some(4)), 100),
            Err(RangeError::Invalid)
        );
    }

    #[test]
    fn a_content_range_must_lie_inside_the_image() {
        let range = |first, last, length| Content {
            first,
            last,
            length,
        };
        assert_eq!(resolved(range(1, 4, Some(100)), 100), Ok((1, 5)));
        assert_eq!(resolved(range(1, 4, None), 100), Ok((1, 5)));
        let stop = Err(RangeError::ContentStop { size: 3 });
        assert_eq!(resolved(range(1, 4, None), 3), stop);
        assert_eq!(resolved(range(1, 4, Some(9)), 3), stop);
        let start = Err(RangeError::ContentStart { size: 3 });
        assert_eq!(resolved(range(3, 4, Some(9)), 3), start);
        let invalid = Err(RangeError::InvalidContent);
        assert_eq!(resolved(range(4, 1, None), 100), invalid);
        assert_eq!(resolved(range(1, 9, Some(9)), 100), invalid);
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(
            resolved(Refused(RangeError::Multiple), 100),
            Err(RangeError::Multiple)
        );
    }
}
