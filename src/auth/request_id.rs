//! The name of a request, in logs and answers.

use http::HeaderMap;

use super::{Error, Result};

const HEADER: &str = "x-openstack-request-id";
const PREFIX: &str = "req-";

/// A new one, `req-` and a random UUID.
#[must_use]
pub fn generate() -> String {
    format!("{PREFIX}{}", uuid::Uuid::new_v4())
}

/// The caller's own, or a new one. At most `max` bytes, where `max` is not 0.
pub fn inbound(headers: &HeaderMap, max: usize) -> Result<String> {
    match headers.get(HEADER) {
        Some(id) if max > 0 && id.len() > max => Err(Error::RequestIdTooLong { max }),
        // What is no text cannot be in a log line either.
        Some(id) => Ok(id
            .to_str()
            .ok()
            .filter(|id| !id.is_empty())
            .map_or_else(generate, str::to_owned)),
        None => Ok(generate()),
    }
}

/// The id as answers show it: always with its prefix.
#[must_use]
pub fn shown(id: &str) -> String {
    if id.starts_with(PREFIX) {
        id.to_owned()
    } else {
        format!("{PREFIX}{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER.parse().unwrap(), id.parse().unwrap())])
    }

    #[test]
    fn the_callers_own_id_is_kept_and_shown_with_its_prefix() {
        let id = inbound(&with("short"), 64).unwrap();
        assert_eq!(id, "short");
        assert_eq!(shown(&id), "req-short");
        assert_eq!(shown("req-1"), "req-1");
    }

    #[test]
    fn a_request_without_an_id_gets_one_of_its_own() {
        let (one, other) = (generate(), inbound(&with(""), 64).unwrap());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.len(), "req-".len() + 36);
            assert!(id.starts_with("req-"));
        }
    }

    #[test]
    fn an_id_over_the_limit_is_refused_and_no_limit_refuses_none() {
        let long = with(&"x".repeat(65));
        assert_eq!(inbound(&long, 64), Err(Error::RequestIdTooLong { max: 64 }));
        assert_eq!(inbound(&long, 65).unwrap().len(), 65);
        assert_eq!(inbound(&long, 0).unwrap().len(), 65);
    }
}
