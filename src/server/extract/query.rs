//! The parameters after the question mark.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::undecodable;
use crate::server::fault::Fault;

/// The parameters in their order, one that is named twice twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(pub Vec<(String, String)>);

/// What a form does not escape; a space becomes a plus.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b' ');

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Self::parse(parts.uri.query().unwrap_or_default()).ok_or_else(undecodable)
    }
}

impl Query {
    fn parse(query: &str) -> Option<Self> {
        let parameters = query.split(['&', ';']).filter(|part| !part.is_empty());
        let pairs = parameters.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        });
        pairs.collect::<Option<_>>().map(Self)
    }

    /// Each parameter once, with its last value, as a link to another page repeats them; but every tag, for all
    /// of them count, and without one the link would lead into another list.
    #[must_use]
    pub fn for_links(&self) -> Self {
        let mut each: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.0 {
            let known = each
                .iter_mut()
                .find(|(known, _)| known == name && name != "tag");
            match known {
                Some((_, last)) => last.clone_from(value),
                None => each.push((name.clone(), value.clone())),
            }
        }
        each.retain(|(name, _)| name != "marker");
        Self(each)
    }

    /// The path with these parameters.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
        let pairs: Vec<String> = self.0.iter().map(pair).collect();
        match pairs.as_slice() {
            [] => path.to_owned(),
            pairs => format!("{path}?{}", pairs.join("&")),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::into_owned(decoded))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_keep_their_order() {
        let query = Query::parse("b=1&a=x+y%26&b=&c").expect("text");
        let pairs: Vec<_> = (query.0.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("b", "1"), ("a", "x y&"), ("b", ""), ("c", "")]);
    }

    #[test]
    fn a_semicolon_parts_parameters_too() {
        assert_eq!(Query::parse("a=1;b=2"), Query::parse("a=1&b=2"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(Query::parse("name=%FF%FE"), None);
    }

    #[test]
    fn links_repeat_each_parameter_once_and_leave_the_marker_out() {
        let query = Query::parse("limit=2&marker=x&limit=3&name=in:page%2001,a").expect("text");
        assert_eq!(
            query.for_links().link("/v2/images"),
            "/v2/images?limit=3&name=in%3Apage+01%2Ca"
        );
        let tags = Query::parse("tag=x&limit=1&tag=y").expect("text");
        assert_eq!(tags.for_links(), tags);
        assert_eq!(Query::default().link("/v2/images"), "/v2/images");
    }
}
