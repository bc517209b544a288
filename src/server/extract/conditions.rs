//! What a client already has of an image, `If-None-Match` and `If-Range` (RFC 9110, 13), and whether it wants it from
//! here alone, `Cache-Control: only-if-cached` (RFC 9111, 5.2.1.7).
//!
//! An image's data never changes, so its hash is its name. Dates are no help: nothing here is told apart by
//! one, and a range that depends on a date is answered with everything.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, IF_NONE_MATCH, IF_RANGE};
use http::request::Parts;

use crate::domain::Image;

/// The name of an image's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// None where there is no data, or nothing is known of it.
    #[must_use]
    pub fn of(image: &Image) -> Option<Self> {
        if image.locations.is_empty() {
            return None;
        }
        let secure = image.checksums.secure.as_ref().map(|hash| &hash.value);
        let hash = secure.or(image.checksums.md5.as_ref())?;
        Some(Self(format!("\"{hash}\"")))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The conditions of a request for data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// Tags of data that the client has.
    has: Vec<String>,
    /// The tag of the data that a range is to be of.
    range_of: Option<String>,
    /// Whether it wants a copy of this node's or nothing.
    pub only_if_cached: bool,
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Conditions {
    fn of(headers: &HeaderMap) -> Self {
        // What is no text is no tag of ours.
        let texts = |name| {
            let values = headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap_or_default())
        };
        let has = texts(IF_NONE_MATCH).flat_map(|list| list.split(','));
        let mut words = texts(CACHE_CONTROL).flat_map(|list| list.split(','));
        Self {
            has: has.map(|tag| tag.trim().to_owned()).collect(),
            range_of: texts(IF_RANGE).next().map(|tag| tag.trim().to_owned()),
            only_if_cached: words.any(|word| word.trim().eq_ignore_ascii_case("only-if-cached")),
        }
    }

    /// Whether nothing hangs on what the client has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.has.is_empty() && self.range_of.is_none()
    }

    /// Whether the client has this data already, compressed or not.
    #[must_use]
    pub fn has(&self, tag: &ETag) -> bool {
        let strong = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        (self.has.iter()).any(|known| known == "*" || strong(known) == tag.0)
    }

    /// Whether a range of the data continues what the client has of it.
    #[must_use]
    pub fn range_applies(&self, tag: Option<&ETag>) -> bool {
        let Some(wanted) = &self.range_of else {
            return true;
        };
        tag.is_some_and(|tag| *wanted == tag.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn conditions(headers: &[(HeaderName, &str)]) -> Conditions {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().expect("a header value"));
        }
        Conditions::of(&map)
    }

    fn tag() -> ETag {
        ETag("\"abc\"".to_owned())
    }

    #[test]
    fn data_is_known_by_any_of_its_tags() {
        for known in ["\"abc\"", "\"x\", \"abc\"", "W/\"abc\"", "*"] {
            assert!(conditions(&[(IF_NONE_MATCH, known)]).has(&tag()), "{known}");
        }
        for other in ["", "abc", "\"ab\"", "\"x\""] {
            assert!(
                !conditions(&[(IF_NONE_MATCH, other)]).has(&tag()),
                "{other}"
            );
        }
        let twice = conditions(&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"abc\"")]);
        assert!(twice.has(&tag()));
    }

    #[test]
    fn a_range_applies_to_the_very_same_bytes() {
        let applies = |condition| conditions(&[(IF_RANGE, condition)]).range_applies(Some(&tag()));
        assert!(applies("\"abc\""));
        for other in ["W/\"abc\"", "\"x\"", "Sat, 21 Nov 2026 11:15:17 GMT"] {
            assert!(!applies(other), "{other}");
        }
        assert!(!conditions(&[(IF_RANGE, "\"abc\"")]).range_applies(None));
        assert!(conditions(&[]).range_applies(None));
        assert!(conditions(&[]).is_empty());
    }
}
