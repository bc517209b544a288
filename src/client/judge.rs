//! Other servers that say whether a caller may do what it asks.

use serde_json::Value;
use url::form_urlencoded;

use super::error::Result;
use super::transport::{Trust, innermost};
use crate::config::policy::RemoteConfig;

/// No more of an answer is read: `True` in quotes is six bytes long.
const MAX_ANSWER: usize = 64;

/// Asks other servers, with one time limit for all there is to an answer.
#[derive(Debug)]
pub struct Judge {
    plain: reqwest::Client,
    tls: reqwest::Client,
    config: RemoteConfig,
}

/// Why there is no answer. Without the address, which its rule names, and without what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    #[error("it does not answer within {0:?}")]
    Late(std::time::Duration),
    #[error("it cannot be asked: {0}")]
    Away(String),
    #[error("it answers {0}")]
    Refused(http::StatusCode),
}

impl Judge {
    /// Prepares to ask, and reads the files of certificates.
    pub fn new(config: &RemoteConfig) -> Result<Self> {
        let trust = Trust {
            bundle: config.ca_file.clone().filter(|_| config.verify),
            insecure: !config.verify,
            own: config.own.clone(),
        };
        Ok(Self {
            plain: trust.client(false)?,
            tls: trust.client(true)?,
            config: config.clone(),
        })
    }

    /// Whether the server at `url` answers `True` to `question`, the parts of which have names.
    pub async fn says_yes(
        &self,
        url: &str,
        question: &[(&'static str, Value)],
    ) -> std::result::Result<bool, Silence> {
        let limit = self.config.timeout;
        let asked = tokio::time::timeout(limit, self.ask(url, question));
        asked.await.unwrap_or(Err(Silence::Late(limit)))
    }

    async fn ask(
        &self,
        url: &str,
        question: &[(&'static str, Value)],
    ) -> std::result::Result<bool, Silence> {
        let http = if url.starts_with("https:") {
            &self.tls
        } else {
            &self.plain
        };
        let (kind, body) = self.body(question);
        let request = http
            .post(url)
            .header(http::header::CONTENT_TYPE, kind)
            .body(body);
        let mut answer = request.send().await.map_err(|error| away(&error))?;
        if !answer.status().is_success() {
            return Err(Silence::Refused(answer.status()));
        }
        let mut said = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| away(&error))? {
            said.extend_from_slice(&chunk);
            if said.len() > MAX_ANSWER {
                return Ok(false);
            }
        }
        Ok(String::from_utf8_lossy(&said).trim_matches('"') == "True")
    }

    /// In a form every part is a text of JSON.
    fn body(&self, question: &[(&'static str, Value)]) -> (&'static str, String) {
        if self.config.json {
            let parts = question.iter();
            let parts = parts.map(|(name, part)| ((*name).to_owned(), part.clone()));
            return (
                "application/json",
                Value::Object(parts.collect()).to_string(),
            );
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, part) in question {
            form.append_pair(name, &part.to_string());
        }
        ("application/x-www-form-urlencoded", form.finish())
    }
}

fn away(error: &reqwest::Error) -> Silence {
    Silence::Away(innermost(error).to_string())
}
