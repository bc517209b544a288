//! Images that a web server has. They are only read.
//!
//! Redirects are followed a few times, where clients might have named the next address as well (`reach.rs`).
//! Nothing of one address goes with the question to the next, credentials least of all. A server that sends nothing
//! for too long is given up.

mod reach;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::{Method, StatusCode};
use reqwest::{Certificate, Client, Proxy, Response, redirect};
use tokio::time::timeout;
use url::Url;

use super::{Error, Result, Store, Stored};
use crate::config::stores::HttpStoreConfig;
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};
use reach::Reach;

/// What the URLs of this store begin with.
pub(super) const SCHEMES: [&str; 2] = ["http", "https"];

/// The answers that are looked at, redirects and the last one.
const MOST_ANSWERS: usize = 5;

/// How long a server may say nothing.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub connect: Duration,
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_mins(1),
        }
    }
}

/// Images that a web server has.
#[derive(Debug)]
pub struct HttpStore {
    client: Client,
    reach: Arc<Reach>,
    patience: Patience,
}

impl HttpStore {
    /// Prepares to ask; nothing is sent before the first image is wanted.
    pub async fn open(config: &HttpStoreConfig) -> Result<Self> {
        Self::with_patience(config, Patience::default()).await
    }

    /// The same with another patience.
    pub async fn with_patience(config: &HttpStoreConfig, patience: Patience) -> Result<Self> {
        // The first one installed stays; which one that was makes no difference.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let reach = Arc::new(Reach::new(config));
        let mut builder = Client::builder()
            .dns_resolver(Arc::clone(&reach))
            .user_agent(concat!("glance/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(patience.connect)
            .read_timeout(patience.silence);
        builder = match &config.ca_file {
            Some(file) => builder.tls_certs_only(certificates(file).await?),
            None if config.insecure => builder.tls_danger_accept_invalid_certs(true),
            None => builder,
        };
        for (scheme, address) in &config.proxies {
            if let Some(proxy) = proxy(scheme, address)? {
                builder = builder.proxy(proxy);
            }
        }
        let client = builder.build().map_err(unusable)?;
        Ok(Self {
            client,
            reach,
            patience,
        })
    }

    /// Asks, and again where it is told to ask elsewhere. None where nobody answers.
    async fn ask(
        &self,
        method: Method,
        location: &Location,
        range: Option<ByteRange>,
    ) -> Result<Option<Response>> {
        let mut url = address(&location.url)?;
        for _ in 0..MOST_ANSWERS {
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(range) = range {
                let last = range.end.saturating_sub(1);
                request = request.header(RANGE, format!("bytes={}-{last}", range.start));
            }
            let Ok(Ok(answer)) = timeout(self.patience.silence, request.send()).await else {
                return Ok(None);
            };
            let status = answer.status();
            match status {
                status if status.as_u16() < 300 => return Ok(Some(answer)),
                StatusCode::NOT_FOUND => return Err(Error::NotFound),
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => {
                    let there = answer.headers().get(LOCATION);
                    let there = there.and_then(|there| there.to_str().ok());
                    let there = there.unwrap_or_default();
                    let next = address(there)?;
                    if !self.reach.leads(&url, &next, there) {
                        let why =
                            "its server sends on to where [import_filtering_opts] lets nobody go";
                        return Err(Error::BadAddress(why.to_owned()));
                    }
                    url = next;
                }
                status => {
                    return Err(Error::BadAddress(format!("its server answers {status}")));
                }
            }
        }
        Err(Error::BadAddress(format!(
            "more than {} redirects",
            MOST_ANSWERS - 1
        )))
    }
}

#[async_trait]
impl Store for HttpStore {
    async fn put(&self, _: ImageId, _: ByteStream, _: Option<u64>) -> Result<Stored> {
        Err(Error::ReadOnly)
    }

    async fn get(&self, location: &Location, range: Option<ByteRange>) -> Result<Blob> {
        let answer = match self.ask(Method::GET, location, range).await {
            Ok(answer) => answer.ok_or(Error::RemoteUnavailable)?,
            // It was a good one when it was noted down.
            Err(Error::BadAddress(why)) => {
                tracing::warn!("a web server does not give an image's data: {why}");
                return Err(Error::RemoteUnavailable);
            }
            Err(error) => return Err(error),
        };
        let size = declared(&answer);
        let sent_from = first_byte(&answer);
        let bytes = answer.bytes_stream().map_err(|error| {
            // Without its URL, where a password may be.
            io::Error::other(error.without_url())
        });
        let Some(range) = range else {
            return Ok(Blob {
                size,
                bytes: Box::pin(bytes),
            });
        };
        let ahead = range
            .start
            .checked_sub(sent_from)
            .ok_or_else(|| Error::BadAddress("its server sends another part".to_owned()))?;
        Ok(Blob {
            size: Some(range.len()),
            bytes: part(Box::pin(bytes), ahead, range.len()),
        })
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        let answer = self.ask(Method::HEAD, location, None).await?;
        let answer =
            answer.ok_or_else(|| Error::BadAddress("its server does not answer".to_owned()))?;
        match declared(&answer) {
            // More than any database holds.
            Some(size) if i64::try_from(size).is_err() => Err(Error::BadAddress(format!(
                "its server says that it has {size} bytes"
            ))),
            size => Ok(size.unwrap_or(0)),
        }
    }

    async fn delete(&self, _: &Location) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn offers_parts(&self) -> bool {
        false
    }
}

fn address(text: &str) -> Result<Url> {
    let bad = || Error::BadAddress("this is no http address".to_owned());
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(bad());
    }
    let url = Url::parse(text).map_err(|_| bad())?;
    if credentials(text).is_some_and(|both| both.matches(':').count() != 1) {
        let why = "its credentials are not a name and a password".to_owned();
        return Err(Error::BadAddress(why));
    }
    Ok(url)
}

/// What stands before the host. The parsed address does not tell an empty password from none.
fn credentials(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (credentials, _) = authority.rsplit_once('@')?;
    (!credentials.is_empty()).then_some(credentials)
}

/// The length that the server declares.
fn declared(answer: &Response) -> Option<u64> {
    let length = answer.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}

/// The byte that an answer begins with: servers without ranges send everything.
fn first_byte(answer: &Response) -> u64 {
    let range = (answer.status() == StatusCode::PARTIAL_CONTENT)
        .then(|| answer.headers().get(CONTENT_RANGE)?.to_str().ok())
        .flatten();
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next());
    first.and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// `len` bytes behind those `ahead`.
fn part(bytes: ByteStream, ahead: u64, len: u64) -> ByteStream {
    let part = stream::try_unfold(
        (bytes, ahead, len),
        |(mut bytes, mut ahead, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            loop {
                let Some(mut chunk) = bytes.next().await.transpose()? else {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                };
                let skipped = chunk
                    .len()
                    .min(usize::try_from(ahead).unwrap_or(usize::MAX));
                ahead -= skipped as u64;
                let mut chunk = chunk.split_off(skipped);
                chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                if !chunk.is_empty() {
                    let left = left - chunk.len() as u64;
                    return Ok(Some((chunk, (bytes, ahead, left))));
                }
            }
        },
    );
    Box::pin(part)
}

/// A server between us and those of a scheme. The original knows more of them than there are here.
fn proxy(scheme: &str, address: &str) -> Result<Option<Proxy>> {
    let address = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let proxy = match scheme {
        "http" => Proxy::http(address),
        "https" => Proxy::https(address),
        "all" => Proxy::all(address),
        other => {
            tracing::warn!(
                "http_proxy_information: no proxy for {other:?}, only for http, https, all"
            );
            return Ok(None);
        }
    };
    proxy.map(Some).map_err(unusable)
}

fn unusable(error: reqwest::Error) -> Error {
    // Without its URL, where a password may be.
    let error = error.without_url();
    Error::Unavailable(format!("the http store cannot be used: {error}"))
}

async fn certificates(file: &Path) -> Result<Vec<Certificate>> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::Unavailable(format!(
            "https_ca_certificates_file {}: {reason}",
            file.display()
        ))
    };
    let pem = tokio::fs::read(file).await.map_err(|error| wrong(&error))?;
    let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))?;
    if bundle.is_empty() {
        return Err(wrong(&"there are none in PEM form"));
    }
    Ok(bundle)
}
