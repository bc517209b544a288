//! A node like this one, asked for a copy that it has: `Cache-Control: only-if-cached` (RFC 9111, 5.2.1.7). One of ours
//! that has none answers 504, and reads no store for it. The original does not know these words, and answers as to
//! anybody.

use std::error::Error;
use std::io;
use std::time::Duration;

use futures_util::{TryFutureExt as _, TryStreamExt as _};
use http::header::{CACHE_CONTROL, RANGE};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use super::credentials::Hidden;
use super::error::Result;
use super::transport::{Trust, innermost};
use crate::domain::ImageId;
use crate::domain::report::Profile;
use crate::stream::{ByteRange, ByteStream};

/// Bytes of a document, of which a node needs a few hundred.
const LONGEST: usize = 64 * 1024;

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
    /// A node near by begins to answer within this time, or is not asked: there is still the store.
    patience: Duration,
}

impl PeerApi {
    /// Prepares to ask nodes, over TLS where it says so; nothing is sent yet.
    pub fn new(trust: &Trust, https: bool, patience: Duration) -> Result<Self> {
        Ok(Self {
            http: trust.client(https)?,
            patience,
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
        let answer = self.timely(request.send()).await?;
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
        self.document(request).await
    }

    /// Who brings an image in, by the node at this address: `own`, unless somebody asked before. `instead_of` is where
    /// nothing was to be had. A call that the original has not.
    pub async fn lead(
        &self,
        node: &str,
        id: ImageId,
        own: &str,
        instead_of: Option<&str>,
        token: Option<&Hidden>,
    ) -> std::result::Result<String, NoCopy> {
        let path = format!("/v2/cache_node/{id}/lead");
        let wish = json!({"node": own, "instead_of": instead_of});
        let request = self.ask(Method::PUT, node, &path, token).json(&wish);
        let Lead { node } = self.document(request).await?;
        Ok(node)
    }

    fn get(&self, node: &str, path: &str, token: Option<&Hidden>) -> reqwest::RequestBuilder {
        self.ask(Method::GET, node, path, token)
    }

    fn ask(
        &self,
        method: Method,
        node: &str,
        path: &str,
        token: Option<&Hidden>,
    ) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", node.trim_end_matches('/'));
        let request = self.http.request(method, url);
        match token {
            Some(token) => request.header("X-Auth-Token", token.reveal()),
            None => request,
        }
    }

    /// The document that a request is answered with.
    async fn document<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> std::result::Result<T, NoCopy> {
        let answer = self.timely(request.send()).await?;
        if !answer.status().is_success() {
            return Err(NoCopy::Refused(answer.status()));
        }
        let body = Limited::new(reqwest::Body::from(answer), LONGEST).collect();
        let body = self.timely(body.map_err(io::Error::other)).await?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| NoCopy::Away(error.to_string()))
    }

    async fn timely<T, E: Error + 'static>(
        &self,
        answer: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, NoCopy> {
        let patience = self.patience;
        let answer = timeout(patience, answer).await;
        let answer = answer.map_err(|_| NoCopy::Away(format!("not within {patience:?}")))?;
        answer.map_err(|error| NoCopy::Away(innermost(&error).to_string()))
    }
}

/// Who brings an image in.
#[derive(Deserialize)]
struct Lead {
    node: String,
}
