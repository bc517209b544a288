//! A node like this one, asked for a copy that it has: `Cache-Control: only-if-cached` (RFC 9111, 5.2.1.7). One of ours
//! that has none answers 504, and reads no store for it. The original does not know these words, and answers as to
//! anybody.

use std::io;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use http::StatusCode;
use http::header::{CACHE_CONTROL, RANGE};
use tokio::time::timeout;

use super::credentials::Hidden;
use super::error::Result;
use super::transport::{Trust, innermost};
use crate::domain::ImageId;
use crate::domain::report::Profile;
use crate::stream::{ByteRange, ByteStream};

/// A node near by begins to answer within this time, or is not asked: there is still the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a node gave no copy. Never with a token in it.
#[derive(Debug, thiserror::Error)]
pub enum NoCopy {
    #[error("it does not answer: {0}")]
    Away(String),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("it has {0} bytes")]
    OtherSize(u64),
}

/// Asks nodes for copies.
#[derive(Debug)]
pub struct PeerApi {
    http: reqwest::Client,
}

impl PeerApi {
    /// Prepares to ask nodes, over TLS where it says so; nothing is sent yet.
    pub fn new(trust: &Trust, https: bool) -> Result<Self> {
        Ok(Self {
            http: trust.client(https)?,
        })
    }

    /// Opens the copy of an image of so many bytes, or a range of it, that the node at this address has.
    pub async fn open(
        &self,
        node: &str,
        id: ImageId,
        size: u64,
        range: Option<ByteRange>,
        token: Option<&Hidden>,
    ) -> std::result::Result<ByteStream, NoCopy> {
        let mut request = self
            .get(node, &format!("/v2/images/{id}/file"), token)
            .header(CACHE_CONTROL, "only-if-cached");
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let answer = timely(request.send()).await?;
        let (wanted, length) = match range {
            None => (StatusCode::OK, size),
            Some(range) => (StatusCode::PARTIAL_CONTENT, range.len()),
        };
        if answer.status() != wanted {
            return Err(NoCopy::Refused(answer.status()));
        }
        match answer.content_length() {
            Some(other) if other != length => Err(NoCopy::OtherSize(other)),
            _ => Ok(Box::pin(answer.bytes_stream().map_err(io::Error::other))),
        }
    }

    /// What the node at this address knows of an image; a call that the original has not.
    pub async fn profile(
        &self,
        node: &str,
        id: ImageId,
        token: Option<&Hidden>,
    ) -> std::result::Result<Profile, NoCopy> {
        let request = self.get(node, &format!("/v2/cache_node/{id}"), token);
        let answer = timely(request.send()).await?;
        if !answer.status().is_success() {
            return Err(NoCopy::Refused(answer.status()));
        }
        timely(answer.json()).await
    }

    fn get(&self, node: &str, path: &str, token: Option<&Hidden>) -> reqwest::RequestBuilder {
        let request = self
            .http
            .get(format!("{}{path}", node.trim_end_matches('/')));
        match token {
            Some(token) => request.header("X-Auth-Token", token.reveal()),
            None => request,
        }
    }
}

async fn timely<T>(
    answer: impl Future<Output = reqwest::Result<T>>,
) -> std::result::Result<T, NoCopy> {
    let answer = timeout(PATIENCE, answer).await;
    let answer = answer.map_err(|_| NoCopy::Away(format!("not within {PATIENCE:?}")))?;
    answer.map_err(|error| NoCopy::Away(innermost(&error).to_string()))
}
