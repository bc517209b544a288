//! Why the API could not be asked, and what it said.

use std::path::PathBuf;

use http::StatusCode;
use serde_json::Value;

pub type Result<T> = std::result::Result<T, Error>;

/// Why the API could not be asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no address of an API")]
    Address(String),
    #[error("No API answers on {address}")]
    Unreachable {
        address: String,
        /// TLS was spoken.
        https: bool,
        source: reqwest::Error,
    },
    #[error("The certificate of {address} is not believed: {why}")]
    Untrusted {
        address: String,
        why: String,
        /// Nobody vouches for it; otherwise something else is wrong with it.
        unknown: bool,
        /// The file that says who is believed, where one does.
        bundle: Option<PathBuf>,
    },
    #[error("{address} did not answer as an image API does")]
    Unintelligible {
        address: String,
        source: serde_json::Error,
    },
    /// `missing` names the options that would say who is asking.
    #[error("The API wants to know who is asking")]
    Unauthenticated { missing: Vec<&'static str> },
    #[error("Not authorized to make this request. {0}")]
    Forbidden(String),
    #[error("{address} knows no such call or image. {sentence}")]
    NotFound { address: String, sentence: String },
    #[error("the API answers {status}. {sentence}")]
    Refused {
        status: StatusCode,
        /// TLS was spoken.
        https: bool,
        sentence: String,
    },
    #[error("Keystone at {url} gives no token: {reason}")]
    NoToken { url: String, reason: String },
    #[error("certificates in {path}: {reason}")]
    Certificates { path: PathBuf, reason: String },
    #[error("TLS cannot be set up")]
    Tls(#[source] reqwest::Error),
    #[error("TLS cannot be set up")]
    Protocol(#[source] rustls::Error),
}

/// The sentence in an error's body: JSON as we ask for, or the first line of whatever a proxy sent.
pub(super) fn sentence(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => ["/message", "/error/message"]
            .iter()
            .find_map(|path| json.pointer(path).and_then(Value::as_str))
            .unwrap_or_default()
            .to_owned(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text = text.replace("<br />", "\n");
    if text.trim_start().starts_with('<') {
        return String::new();
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    // Long enough for any sentence of ours, short enough for a terminal.
    first.unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_json_error_gives_its_message_without_markup() {
        let body =
            br#"{"message": "Image x not found.<br /><br />\n\n\n", "code": "404 Not Found"}"#;
        assert_eq!(sentence(body), "Image x not found.");
    }

    #[test]
    fn a_keystone_error_gives_its_message() {
        let body = br#"{"error": {"code": 401, "message": "Wrong password."}}"#;
        assert_eq!(sentence(body), "Wrong password.");
    }

    #[test]
    fn a_plain_text_error_gives_its_first_line() {
        assert_eq!(sentence(b"\nupstream is away\nmore"), "upstream is away");
    }

    #[test]
    fn a_page_gives_nothing() {
        assert_eq!(sentence(b"<html><body>Bad gateway</body></html>"), "");
    }
}
