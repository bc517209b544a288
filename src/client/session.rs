//! Keystone, asked with the service's own account.
//!
//! The token of the account is fetched when it is first needed, kept, and renewed before it ends. One request
//! for it is on its way at a time. Whoever waited for one that failed fails with it: with Keystone away, a
//! queue of callers must not wait for each other's time limits.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::credentials::{Credentials, Hidden, Keystone};
use super::error::{Result, sentence};
use super::keystone::{self, Issued};
use super::transport::{self, Trust};
use crate::config::KeystoneConfig;
use crate::domain::isotime;

/// The token is renewed this long before it ends, or a fifth of its life before where that is short.
const MARGIN: Duration = Duration::from_mins(1);
/// Between a connection that failed and the next try; twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);

/// Why Keystone gave no answer that helps. Never with a token or password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the configuration has no account to ask Keystone with")]
    NoAccount,
    #[error("Keystone at {url} does not answer: {reason}")]
    Away { url: String, reason: String },
    #[error("Keystone at {url} gives the service no token: {reason}")]
    NoToken { url: String, reason: String },
    #[error("Keystone at {url} answers {status}. {sentence}")]
    Refused {
        url: String,
        status: StatusCode,
        sentence: String,
    },
    #[error("{url} does not answer as Keystone does")]
    Nonsense { url: String },
}

/// What was answered, with any status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// An endpoint of the catalogue. No region is any region.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    pub service_type: &'a str,
    /// `public`, `internal` or `admin`.
    pub interface: &'a str,
    pub region: Option<&'a str>,
}

/// The service's account at Keystone, and its token.
#[derive(Debug)]
pub struct Session {
    http: reqwest::Client,
    account: Option<Keystone>,
    region: Option<String>,
    interface: String,
    endpoint: Option<String>,
    patience: Duration,
    retries: u32,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// The last failure, and when it was.
    failed: Option<(Instant, Failure)>,
}

#[derive(Debug, Clone)]
struct Token {
    secret: Hidden,
    renew_at: Instant,
    /// Where Keystone is for this account.
    base: String,
    catalog: std::sync::Arc<[Service]>,
}

#[derive(Deserialize)]
struct Answer {
    token: Description,
}

#[derive(Deserialize)]
struct Description {
    expires_at: String,
    issued_at: String,
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Debug, Clone, Deserialize)]
struct Service {
    r#type: String,
    #[serde(default)]
    endpoints: Vec<Place>,
}

#[derive(Debug, Clone, Deserialize)]
struct Place {
    interface: String,
    #[serde(default)]
    region: Option<String>,
    url: String,
}

impl Session {
    /// Prepares to ask; nothing is sent before the first call.
    pub fn new(config: &KeystoneConfig) -> Result<Self> {
        let account = match Credentials::of_service(config) {
            Credentials::Keystone(account) => Some(*account),
            Credentials::None { .. } | Credentials::Token(_) => None,
        };
        let trust = Trust {
            bundle: config.ca_file.clone(),
            insecure: config.insecure,
            own: config.own_certificate(),
        };
        // The catalogue may lead to TLS from an address in the clear.
        let https = config.ca_file.is_some() || is_https(config);
        Ok(Self {
            http: trust.client(https)?,
            account,
            region: config.region.clone(),
            interface: config.interface.clone(),
            endpoint: config.endpoint.clone(),
            patience: config.patience(),
            retries: config.retries,
            held: Mutex::default(),
        })
    }

    /// Asks Keystone for `path`, which begins behind `/v3`. The answer may have any status but 401, which
    /// renews the token once before it counts.
    pub async fn get(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> std::result::Result<Reply, Failure> {
        let token = self.token().await?;
        let reply = self.ask(&token, path, headers).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        self.forget(&token.secret).await;
        let token = self.token().await?;
        self.ask(&token, path, headers).await
    }

    /// The same for an answer in JSON; every other one is a failure.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> std::result::Result<T, Failure> {
        let reply = self.get(path, &[]).await?;
        let url = self.url();
        if !reply.status.is_success() {
            return Err(Failure::Refused {
                url,
                status: reply.status,
                sentence: sentence(&reply.body),
            });
        }
        serde_json::from_slice(&reply.body).map_err(|_| Failure::Nonsense { url })
    }

    /// The address of a service, as the catalogue has it.
    pub async fn endpoint(
        &self,
        wanted: Endpoint<'_>,
    ) -> std::result::Result<Option<String>, Failure> {
        let token = self.token().await?;
        Ok(address(&token.catalog, wanted))
    }

    /// The token of the account, to show to other services.
    pub async fn own_token(&self) -> std::result::Result<Hidden, Failure> {
        Ok(self.token().await?.secret)
    }

    /// `auth_url`, as it was written.
    pub fn url(&self) -> String {
        self.account
            .as_ref()
            .map_or_else(String::new, |account| account.url.clone())
    }

    async fn ask(
        &self,
        token: &Token,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> std::result::Result<Reply, Failure> {
        let url = format!("{}{path}", token.base);
        self.persistently(|| async {
            let mut request = self
                .http
                .get(&url)
                .timeout(self.patience)
                .header("Accept", "application/json")
                .header("X-Auth-Token", token.secret.reveal());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.map_err(keystone::Failure::Away)?;
            let status = answer.status();
            let body = transport::body(answer)
                .await
                .map_err(keystone::Failure::Away)?;
            let body = body.ok_or(keystone::Failure::Nonsense("its answer does not end"))?;
            Ok(Reply { status, body })
        })
        .await
        .map_err(|failure| match failure {
            keystone::Failure::Nonsense(_) => Failure::Nonsense { url: self.url() },
            failure => Failure::Away {
                url: self.url(),
                reason: failure.to_string(),
            },
        })
    }

    /// Tries again where nobody could be reached at all.
    async fn persistently<T, F>(
        &self,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> std::result::Result<T, keystone::Failure>
    where
        F: Future<Output = std::result::Result<T, keystone::Failure>>,
    {
        let mut pause = PAUSE;
        for _ in 0..self.retries {
            match attempt().await {
                Err(keystone::Failure::Away(error)) if error.is_connect() => {
                    sleep(pause).await;
                    pause = (pause * 2).min(self.patience);
                }
                done => return done,
            }
        }
        attempt().await
    }

    async fn token(&self) -> std::result::Result<Token, Failure> {
        let account = self.account.as_ref().ok_or(Failure::NoAccount)?;
        let asked = Instant::now();
        let mut held = self.held.lock().await;
        if let Some(token) = &held.token
            && Instant::now() < token.renew_at
        {
            return Ok(token.clone());
        }
        if let Some((when, failure)) = &held.failed
            && *when > asked
        {
            return Err(failure.clone());
        }
        let issued = self
            .persistently(|| keystone::issue(&self.http, account, self.patience))
            .await;
        let url = account.url.clone();
        let token = match issued {
            Ok(issued) => self.kept(account, issued),
            Err(keystone::Failure::Away(error)) => Err(Failure::Away {
                url,
                reason: keystone::reason(&error),
            }),
            Err(failure) => Err(Failure::NoToken {
                url,
                reason: failure.to_string(),
            }),
        };
        held.token = token.as_ref().ok().cloned();
        held.failed = token
            .as_ref()
            .err()
            .map(|failure| (Instant::now(), failure.clone()));
        token
    }

    fn kept(&self, account: &Keystone, issued: Issued) -> std::result::Result<Token, Failure> {
        let nonsense = || Failure::Nonsense {
            url: account.url.clone(),
        };
        let answer: Answer = serde_json::from_slice(&issued.body).map_err(|_| nonsense())?;
        let Description {
            expires_at,
            issued_at,
            catalog,
        } = answer.token;
        // Both are times of Keystone's: how our own clock goes makes no difference.
        let time = |text: &str| isotime::parse(text).ok_or_else(nonsense);
        let life = time(&expires_at)? - time(&issued_at)?;
        let life = life.to_std().unwrap_or_default();
        let wanted = Endpoint {
            service_type: "identity",
            interface: &self.interface,
            region: self.region.as_deref(),
        };
        let base = self.endpoint.clone();
        let base = base.or_else(|| address(&catalog, wanted));
        let base = base.unwrap_or_else(|| account.url.clone());
        Ok(Token {
            secret: issued.token,
            renew_at: Instant::now() + life.saturating_sub(MARGIN.min(life / 5)),
            base: keystone::version_3(&base),
            catalog: catalog.into(),
        })
    }

    /// Drops a token that was refused, unless somebody was faster and has a new one.
    pub async fn forget(&self, refused: &Hidden) {
        let mut held = self.held.lock().await;
        if held
            .token
            .as_ref()
            .is_some_and(|token| token.secret == *refused)
        {
            held.token = None;
        }
    }
}

fn is_https(config: &KeystoneConfig) -> bool {
    config
        .auth_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https:"))
}

fn address(catalog: &[Service], wanted: Endpoint<'_>) -> Option<String> {
    let interface = wanted.interface.trim_end_matches("URL");
    catalog
        .iter()
        .filter(|service| service.r#type == wanted.service_type)
        .flat_map(|service| &service.endpoints)
        .find(|place| {
            place.interface == interface
                && wanted
                    .region
                    .is_none_or(|region| place.region.as_deref() == Some(region))
        })
        .map(|place| place.url.clone())
}
