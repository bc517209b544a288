//! HTTP out: the image API as the companion tools ask it, and what the service asks: Keystone ([`Session`]), servers
//! that have a say in the policy ([`Judge`]), memcached for what others were told ([`Memcached`]), and other nodes for
//! copies ([`PeerApi`]).
//!
//! [`ImageApi`] speaks the calls, [`Address`] says where, [`Credentials`] as whom, and [`Trust`] which
//! certificates are believed. A redirect is never followed: it would carry the token to another host.

mod address;
mod believed;
mod credentials;
mod error;
mod judge;
mod keystone;
mod limits;
mod memcached;
mod peer;
mod session;
mod transport;

pub use address::Address;
pub use credentials::{Credentials, Hidden, Keystone, Named, Owner, Scope, User};
pub use error::{Error, Result};
pub use judge::{Judge, Silence};
pub use limits::{Level, Limits, ProjectLimits, Unknown};
pub use memcached::Memcached;
pub use peer::{NoCopy, PeerApi};
pub use session::{Endpoint, Failure, Reply, Session};
pub use transport::{Trust, innermost};

use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::domain::ImageId;
use crate::domain::report::{Nodes, Overview, Pins, Profile};

/// A row of the cache's listing, as the API spells it.
#[derive(Debug, Clone, PartialEq, Deserialize, serde::Serialize)]
pub struct CachedImage {
    /// Any text: the original lists whatever file it finds.
    pub image_id: String,
    pub size: u64,
    pub hits: u64,
    /// Seconds since 1970; 0 where it was never read.
    pub last_accessed: f64,
    /// Seconds since 1970.
    pub last_modified: f64,
}

/// What a node has and what it was asked to have.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, serde::Serialize)]
pub struct CacheState {
    #[serde(default)]
    pub cached_images: Vec<CachedImage>,
    #[serde(default)]
    pub queued_images: Vec<String>,
}

#[derive(Deserialize)]
struct ImageStatus {
    status: String,
}

/// A page of a list of images.
#[derive(Deserialize)]
struct Page {
    images: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// Headers of one request, by name and value.
type Headers<'a> = [(&'a str, &'a str)];

#[derive(Deserialize)]
struct Deleted {
    num_deleted: u64,
}

/// A glance-api and the right to ask it.
#[derive(Debug)]
pub struct ImageApi {
    http: reqwest::Client,
    address: Address,
    credentials: Credentials,
    trust: Trust,
    token: Mutex<Option<String>>,
}

impl ImageApi {
    /// Prepares to ask; nothing is sent before the first call.
    pub fn new(address: Address, credentials: Credentials, trust: Trust) -> Result<Self> {
        Ok(Self {
            http: trust.client(address.is_https())?,
            token: Mutex::new(credentials.given_token()),
            address,
            credentials,
            trust,
        })
    }

    /// Another API for the same caller, who is asked for no second token.
    pub async fn beside(&self, address: Address) -> Result<Self> {
        Ok(Self {
            http: self.trust.client(address.is_https())?,
            token: Mutex::new(self.token.lock().await.clone()),
            address,
            credentials: self.credentials.clone(),
            trust: self.trust.clone(),
        })
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// `GET /v2/cached_images`
    pub async fn cached(&self) -> Result<Vec<CachedImage>> {
        let state: CacheState = self.ask(Method::GET, "/v2/cached_images").await?;
        Ok(state.cached_images)
    }

    /// `GET /v2/queued_images`
    pub async fn queued(&self) -> Result<Vec<String>> {
        let state: CacheState = self.ask(Method::GET, "/v2/queued_images").await?;
        Ok(state.queued_images)
    }

    /// `GET /v2/cache`: both lists of one moment.
    pub async fn state(&self) -> Result<CacheState> {
        self.ask(Method::GET, "/v2/cache").await
    }

    /// `GET /v2/cache_nodes`: the nodes that tell each other of their caches.
    pub async fn nodes(&self) -> Result<Nodes> {
        self.ask(Method::GET, "/v2/cache_nodes").await
    }

    /// `DELETE /v2/cache/{id}`: lets go of the copy, and of the wish for one.
    pub async fn discard(&self, id: ImageId) -> Result<()> {
        self.tell(Method::DELETE, &format!("/v2/cache/{id}")).await
    }

    /// `DELETE /v2/cache` of all copies.
    pub async fn clear_cached(&self) -> Result<()> {
        self.clear("cache").await
    }

    /// `DELETE /v2/cache` of all wishes.
    pub async fn clear_queued(&self) -> Result<()> {
        self.clear("queue").await
    }

    async fn clear(&self, target: &str) -> Result<()> {
        let headers = [("x-image-cache-clear-target", target)];
        self.send(Method::DELETE, "/v2/cache", &headers)
            .await
            .map(drop)
    }

    /// `GET /v2/cache_node`: how the node does.
    pub async fn overview(&self) -> Result<Overview> {
        self.ask(Method::GET, "/v2/cache_node").await
    }

    /// `GET /v2/cache_node/{id}`: everything that the node knows of an image.
    pub async fn profile(&self, id: ImageId) -> Result<Profile> {
        self.ask(Method::GET, &format!("/v2/cache_node/{id}")).await
    }

    /// `GET /v2/images/{id}`: where the image is in its life.
    pub async fn status(&self, id: ImageId) -> Result<String> {
        let image: ImageStatus = self.ask(Method::GET, &format!("/v2/images/{id}")).await?;
        Ok(image.status)
    }

    /// `PUT /v2/queued_images/{id}`: the image is fetched after those queued before it.
    pub async fn queue(&self, id: ImageId) -> Result<()> {
        self.tell(Method::PUT, &format!("/v2/queued_images/{id}"))
            .await
    }

    /// `PUT /v2/cache/{id}`: the image is fetched at once; refused where that cannot work.
    pub async fn fetch(&self, id: ImageId) -> Result<()> {
        self.tell(Method::PUT, &format!("/v2/cache/{id}")).await
    }

    /// `DELETE /v2/cached_images/{id}`
    pub async fn evict(&self, id: ImageId) -> Result<()> {
        self.tell(Method::DELETE, &format!("/v2/cached_images/{id}"))
            .await
    }

    /// `DELETE /v2/cached_images`, and how many there were.
    pub async fn evict_all(&self) -> Result<u64> {
        let deleted: Deleted = self.ask(Method::DELETE, "/v2/cached_images").await?;
        Ok(deleted.num_deleted)
    }

    /// `DELETE /v2/queued_images/{id}`
    pub async fn unqueue(&self, id: ImageId) -> Result<()> {
        self.tell(Method::DELETE, &format!("/v2/queued_images/{id}"))
            .await
    }

    /// `DELETE /v2/queued_images`, and how many there were.
    pub async fn unqueue_all(&self) -> Result<u64> {
        let deleted: Deleted = self.ask(Method::DELETE, "/v2/queued_images").await?;
        Ok(deleted.num_deleted)
    }

    /// `GET /v2/cache/pins`
    pub async fn pinned(&self) -> Result<Pins> {
        self.ask(Method::GET, "/v2/cache/pins").await
    }

    /// `PUT /v2/cache/pins/{id}`; a reason says by what the image was found.
    pub async fn pin(&self, id: ImageId, reason: &str) -> Result<()> {
        let by = match reason {
            "" => String::new(),
            reason => format!("?by={}", utf8_percent_encode(reason, NON_ALPHANUMERIC)),
        };
        self.tell(Method::PUT, &format!("/v2/cache/pins/{id}{by}"))
            .await
    }

    /// `DELETE /v2/cache/pins/{id}`
    pub async fn unpin(&self, id: ImageId) -> Result<()> {
        self.tell(Method::DELETE, &format!("/v2/cache/pins/{id}"))
            .await
    }

    /// `GET /v2/images`, all pages: the ids of those that a query (names and values) finds.
    pub async fn find(&self, query: &[(String, String)]) -> Result<Vec<String>> {
        let query = query.iter().map(|(name, value)| {
            let [name, value] =
                [name, value].map(|word| utf8_percent_encode(word, NON_ALPHANUMERIC).to_string());
            format!("{name}={value}")
        });
        let query: Vec<String> = query.collect();
        let mut next = Some(format!("/v2/images?{}", query.join("&")));
        let mut ids = Vec::new();
        while let Some(path) = next {
            let page: Page = self.ask(Method::GET, &path).await?;
            ids.extend(page.images.into_iter().map(|image| image.id));
            next = page.next.filter(|path| path.starts_with('/'));
        }
        Ok(ids)
    }

    async fn tell(&self, method: Method, path: &str) -> Result<()> {
        self.send(method, path, &[]).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T> {
        let body = self.send(method, path, &[]).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Unintelligible {
            address: self.address.to_string(),
            source,
        })
    }

    /// Sends, and once more with a new token where the one in hand ran out.
    async fn send(&self, method: Method, path: &str, headers: &Headers<'_>) -> Result<Vec<u8>> {
        let had_token = self.token.lock().await.is_some();
        match self.send_once(method.clone(), path, headers).await {
            Err(Error::Unauthenticated { .. }) if had_token && self.credentials.can_renew() => {
                *self.token.lock().await = None;
                self.send_once(method, path, headers).await
            }
            answer => answer,
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        headers: &Headers<'_>,
    ) -> Result<Vec<u8>> {
        let mut request = self
            .http
            .request(method, self.address.url(path))
            .header(http::header::ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = self.token().await? {
            request = request.header("X-Auth-Token", token);
        }
        let unreachable = |source| match transport::distrust(&source) {
            Some((why, unknown)) => Error::Untrusted {
                address: self.address.to_string(),
                why,
                unknown,
                bundle: self.trust.bundle.clone(),
            },
            None => Error::Unreachable {
                address: self.address.to_string(),
                https: self.address.is_https(),
                source,
            },
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        match status {
            status if status.is_success() => Ok(body.into()),
            StatusCode::UNAUTHORIZED => Err(Error::Unauthenticated {
                missing: self.credentials.missing(),
            }),
            StatusCode::FORBIDDEN => Err(Error::Forbidden(error::sentence(&body))),
            StatusCode::NOT_FOUND => Err(Error::NotFound {
                address: self.address.to_string(),
                sentence: error::sentence(&body),
            }),
            status => Err(Error::Refused {
                status,
                https: self.address.is_https(),
                sentence: error::sentence(&body),
            }),
        }
    }

    async fn token(&self) -> Result<Option<String>> {
        let mut token = self.token.lock().await;
        if token.is_none()
            && let Credentials::Keystone(account) = &self.credentials
        {
            *token = Some(keystone::token(account, &self.trust).await?);
        }
        Ok(token.clone())
    }
}
