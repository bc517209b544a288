//! What an answer should be, and the same of one that came: all that is compared, and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::normalise::Names;
use super::sentence;
use super::wire::Answer;

/// Headers that must be there with their value, and absent where they are not recorded.
pub(super) const EXACT: [&str; 16] = [
    "Content-Type",
    "Location",
    "Allow",
    "Accept-Patch",
    "Content-MD5",
    "Content-Range",
    "OpenStack-image-import-methods",
    "OpenStack-image-store-ids",
    "WWW-Authenticate",
    "Content-Encoding",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Max-Age",
    "Access-Control-Expose-Headers",
];

/// Headers that must be there where they are recorded.
pub(super) const WHERE_RECORDED: [&str; 4] = [
    "Content-Length",
    "Accept-Ranges",
    "Vary",
    "X-Openstack-Request-Id",
];

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Expectation {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    Body(Nothing),
    Error(Refusal),
    Json(Value),
    Text(String),
    Bytes(Data),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Nothing {
    Empty,
}

/// An error page: its kind, and the sentence that clients show of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    pub(super) kind: String,
    pub(super) sentence: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Data {
    pub(super) size: usize,
    pub(super) sha256: String,
}

impl Expectation {
    /// What `answer` would fulfil.
    pub(super) fn of(answer: &Answer, names: &Names) -> Self {
        let compared = EXACT.iter().chain(&WHERE_RECORDED);
        let headers = compared.filter_map(|name| {
            let value = answer.header(name)?;
            let value = shown(name, &value, answer)?;
            Some(((*name).to_owned(), names.text(&value)))
        });
        Self {
            status: answer.status,
            headers: headers.collect(),
            content: Content::of(answer, names),
        }
    }
}

impl Content {
    fn of(answer: &Answer, names: &Names) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        if answer.body.is_empty() {
            return Self::Body(Nothing::Empty);
        }
        if answer.status >= 400 {
            let (kind, sentence) = sentence::of(&answer.kind(), &text);
            return Self::Error(Refusal {
                kind: kind.to_owned(),
                sentence: names.text(&sentence),
            });
        }
        match (&*answer.kind(), answer.json()) {
            ("application/json", Some(document)) if !document.is_null() => {
                Self::Json(names.value(&document))
            }
            ("text/plain" | "text/html", _) => Self::Text(names.text(&text)),
            _ => Self::Bytes(Data {
                size: answer.body.len(),
                sha256: hex(&Sha256::digest(&answer.body)),
            }),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The part of a header's value that is compared, if any is.
fn shown(name: &str, value: &str, answer: &Answer) -> Option<String> {
    let written = ["application/json", "text/html", "text/plain"];
    match name {
        "Content-Type" | "Content-Length" if answer.body.is_empty() => None,
        // The length of what we write ourselves is of no interest to anybody.
        "Content-Length"
            if answer.header("Content-Encoding").is_some()
                || written.contains(&&*answer.kind()) =>
        {
            None
        }
        // Where something has asked for them, the original lists its internal stores, too.
        "OpenStack-image-store-ids" => {
            let stores = value.split(',').filter(|id| !id.starts_with("os_glance_"));
            Some(stores.collect::<Vec<_>>().join(","))
        }
        "X-Openstack-Request-Id" => Some("present".to_owned()),
        _ => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::compare;
    use super::*;

    fn answer(status: u16, kind: &str, body: &[u8]) -> Answer {
        let kind = ("content-type".to_owned(), kind.to_owned());
        let (headers, body) = (vec![kind], body.into());
        Answer {
            status,
            headers,
            body,
        }
    }

    fn expectation(answer: &Answer) -> Expectation {
        Expectation::of(answer, &Names::default())
    }

    #[test]
    fn one_byte_of_the_data_matters() {
        let data = |byte| expectation(&answer(200, "application/octet-stream", &[0, byte, 2]));
        assert_eq!(compare(&data(1), &data(1), &[]), [""; 0]);
        assert_eq!(compare(&data(1), &data(3), &[]).len(), 1);
    }

    #[test]
    fn a_refusal_is_told_by_its_sentence() {
        let refusal = answer(404, "text/plain", b"404 Not Found\n\nNo image\n\n");
        let (kind, sentence) = ("plain".to_owned(), "No image".to_owned());
        let content = expectation(&refusal).content;
        assert_eq!(content, Content::Error(Refusal { kind, sentence }));
    }

    #[test]
    fn json_is_read_and_what_only_claims_to_be_is_data() {
        let read = expectation(&answer(200, "application/json; charset=UTF-8", b"[1]"));
        assert_eq!(read.content, Content::Json(serde_json::json!([1])));
        let claims = expectation(&answer(200, "application/json", b"[1"));
        assert!(matches!(
            claims.content,
            Content::Bytes(Data { size: 2, .. })
        ));
    }

    #[test]
    fn an_empty_answer_has_no_type() {
        let empty = expectation(&answer(204, "text/html", b""));
        assert_eq!(empty.headers, BTreeMap::new());
        assert_eq!(empty.content, Content::Body(Nothing::Empty));
    }
}
