//! Tokens, checked with Keystone.
//!
//! What Keystone says of a token is believed for `token_cache_time`, here or in memcached. However many requests carry a token,
//! one question about it is on its way at a time, and goes on when the request that caused it has left.
//! Where Keystone gives no answer, nobody is told to have a wrong token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout};

use super::shared_cache::SharedCache;
use super::token::Identity;
use super::token_cache::{Key, TokenCache};
use super::{Error, Result};
use crate::client::{self, Failure, Session};
use crate::clock::Clock;
use crate::config::AuthTokenConfig;
use crate::domain::Caller;

/// A few kilobytes each, so a few dozen megabytes at most.
const MAX_TOKENS: usize = 10_000;
/// With all retries, an answer about one token comes within this time or not at all, where no more is configured.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks Keystone who a token's owner is.
#[derive(Debug, Clone)]
pub struct Keystone(Arc<Inner>);

struct Inner {
    config: AuthTokenConfig,
    session: Session,
    clock: Clock,
    cache: TokenCache,
    /// What services share, where they do and anything is to be believed at all.
    shared: Option<Arc<SharedCache>>,
    asking: Mutex<HashMap<(Key, bool), Asking>>,
}

/// None is a token that Keystone does not know.
type Answer = std::result::Result<Option<Arc<Identity>>, Failure>;
type Asking = Shared<BoxFuture<'static, Answer>>;

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keystone")
    }
}

impl Keystone {
    /// Prepares to ask; nothing is sent before the first token comes.
    pub fn new(config: &AuthTokenConfig, clock: Clock) -> client::Result<Self> {
        if !config.service_token_roles_required {
            tracing::warn!(
                "[keystone_authtoken] service_token_roles_required is false: any valid token is taken for \
                 that of a service"
            );
        }
        Ok(Self(Arc::new(Inner {
            session: Session::new(&config.account)?,
            cache: TokenCache::new(config.cache_time, MAX_TOKENS),
            shared: (config.memcached.as_ref())
                .filter(|_| !config.cache_time.is_zero())
                .map(|memcached| Arc::new(SharedCache::new(memcached, config.cache_time))),
            config: config.clone(),
            clock,
            asking: Mutex::default(),
        })))
    }

    /// Whether callers without a valid token are for somebody else to refuse.
    pub fn delays(&self) -> bool {
        self.0.config.delay_auth_decision
    }

    /// The service's own account.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Where a client gets a token.
    pub fn www_authenticate(&self) -> String {
        format!("Keystone uri=\"{}\"", self.0.config.www_authenticate_uri)
    }

    /// The caller whose tokens these headers have; [`Error::Unconfirmed`] where they have no valid ones.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        method: &str,
        path: &str,
        request_id: String,
    ) -> Result<Caller> {
        let config = &self.0.config;
        let service = match token(headers, &["x-service-token"]) {
            Token::None => None,
            Token::Garbled if config.delay_auth_decision => None,
            Token::Garbled => return Err(Error::Unconfirmed),
            Token::Given(token) => {
                let known = self.valid(token, false).await?;
                let known = known.filter(|known| known.is_unbound(&config.bind));
                if known.is_none() && !config.delay_auth_decision {
                    tracing::info!("invalid service token");
                    return Err(Error::Unconfirmed);
                }
                known
            }
        };
        let has_role = |service: &Arc<Identity>| service.has_any(&config.service_token_roles);
        let outlives = service.as_ref().is_some_and(has_role);
        let is_refused = service.is_some() && !outlives && config.service_token_roles_required;
        if is_refused && !config.delay_auth_decision {
            tracing::info!("the service token has none of the roles of services");
            return Err(Error::Unconfirmed);
        }
        let Token::Given(user) = token(headers, &["x-auth-token", "x-storage-token"]) else {
            return Err(Error::Unconfirmed);
        };
        let via_service = headers.contains_key("x-service-token");
        let known = self.valid(user, outlives).await?.filter(|known| {
            (via_service || known.is_unbound(&config.bind))
                && known.allows(config.service_type.as_deref(), outlives, method, path)
        });
        let Some(known) = known else {
            tracing::info!("invalid user token");
            return Err(Error::Unconfirmed);
        };
        let mut caller = known.caller(request_id);
        if let Some(service) = service.filter(|_| !is_refused) {
            service.vouch_for(&mut caller);
        }
        Ok(caller)
    }

    /// What the token stands for, if it has not ended or `ended` ones count as well.
    async fn valid(&self, token: &str, ended: bool) -> Result<Option<Arc<Identity>>> {
        let known = self.known(token, ended).await.map_err(|failure| {
            tracing::error!("a token cannot be checked: {failure}");
            Error::KeystoneAway
        })?;
        Ok(known.filter(|known| ended || self.0.clock.now() < known.expires_at))
    }

    async fn known(&self, token: &str, ended: bool) -> Answer {
        let key = Key::of(token);
        if let Some(identity) = self.0.cache.get(key, Instant::now()) {
            return Ok(Some(identity));
        }
        let asking = {
            let mut all = self.0.asking();
            // It may have come between the two looks.
            if let Some(identity) = self.0.cache.get(key, Instant::now()) {
                return Ok(Some(identity));
            }
            let inner = &self.0;
            let start = || Inner::start(Arc::clone(inner), key, token.to_owned(), ended);
            all.entry((key, ended)).or_insert_with(start).clone()
        };
        asking.await
    }
}

impl Inner {
    fn start(inner: Arc<Self>, key: Key, token: String, ended: bool) -> Asking {
        let url = inner.session.url();
        let away = Failure::Away {
            url,
            reason: "the time is over".to_owned(),
        };
        let lost = away.clone();
        let task = tokio::spawn(async move {
            let answer = timeout(inner.patience(), inner.look(&token, key, ended)).await;
            let answer = answer.unwrap_or(Err(away));
            inner.asking().remove(&(key, ended));
            answer
        });
        task.map(|answer| answer.unwrap_or(Err(lost)))
            .boxed()
            .shared()
    }

    /// How long an answer may take with all its retries.
    fn patience(&self) -> Duration {
        let account = &self.config.account;
        let tries = account.retries.saturating_add(1);
        PATIENCE.max(account.timeout.saturating_mul(tries))
    }

    /// What others were told is not kept here as well: it would be believed for longer than they believe it.
    async fn look(&self, token: &str, key: Key, ended: bool) -> Answer {
        if let Some(shared) = &self.shared
            && let Some(identity) = shared.get(token).await
        {
            return Ok(Some(Arc::new(identity)));
        }
        // From when it was asked: what is revoked while the answer travels counts from then.
        let asked = Instant::now();
        let Some((identity, body)) = self.ask(token, ended).await? else {
            return Ok(None);
        };
        let identity = Arc::new(identity);
        self.cache.put(key, &identity, asked);
        if let Some(shared) = self.shared.clone() {
            let token = token.to_owned();
            // Nobody waits for it.
            tokio::spawn(async move { shared.put(&token, &body).await });
        }
        Ok(Some(identity))
    }

    /// Keystone's answer, as it was given and what it means; none where it does not know the token.
    async fn ask(
        &self,
        token: &str,
        ended: bool,
    ) -> std::result::Result<Option<(Identity, Vec<u8>)>, Failure> {
        let mut query = Vec::new();
        if !self.config.include_service_catalog {
            query.push("nocatalog=1");
        }
        if ended {
            query.push("allow_expired=1");
        }
        let path = match query.join("&") {
            query if query.is_empty() => "/auth/tokens".to_owned(),
            query => format!("/auth/tokens?{query}"),
        };
        let headers = [
            ("X-Subject-Token", token),
            // Without it Keystone hides tokens with access rules.
            ("OpenStack-Identity-Access-Rules", "1"),
        ];
        let reply = self.session.get(&path, &headers).await?;
        match reply.status {
            StatusCode::OK => match Identity::read(&reply.body) {
                Some(identity) => Ok(Some((identity, reply.body))),
                None => Err(Failure::Nonsense {
                    url: self.session.url(),
                }),
            },
            // A proxy in between has pages of its own for what it does not find.
            StatusCode::NOT_FOUND if is_an_error(&reply.body) => Ok(None),
            StatusCode::NOT_FOUND => Err(Failure::Nonsense {
                url: self.session.url(),
            }),
            // What it says about our request may repeat what was asked for.
            status => Err(Failure::Refused {
                url: self.session.url(),
                status,
                sentence: String::new(),
            }),
        }
    }

    fn asking(&self) -> MutexGuard<'_, HashMap<(Key, bool), Asking>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_an_error(body: &[u8]) -> bool {
    let body: serde_json::Result<serde_json::Value> = serde_json::from_slice(body);
    body.is_ok_and(|body| body["error"]["code"] == 404)
}

enum Token<'a> {
    None,
    Given(&'a str),
    /// It comes twice, or is no text.
    Garbled,
}

/// The token in the first of these headers that is there.
fn token<'a>(headers: &'a HeaderMap, names: &[&str]) -> Token<'a> {
    let Some(name) = names.iter().find(|name| headers.contains_key(**name)) else {
        return Token::None;
    };
    let mut values = headers.get_all(*name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(text)), None) if text.trim().is_empty() => Token::None,
        (Some(Ok(text)), None) => Token::Given(text.trim()),
        _ => Token::Garbled,
    }
}
