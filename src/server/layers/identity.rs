//! Who is asking: nobody gets past this layer without being somebody.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};

use super::request_id::RequestId;
use crate::auth::{self, Keystone};
use crate::config::Pipeline;
use crate::config::paste::Filter;
use crate::domain::Caller;
use crate::policy::Policy;
use crate::server::fault::Fault;

/// How callers are recognised.
#[derive(Debug)]
pub struct Identity {
    source: Source,
    policy: Policy,
}

#[derive(Debug)]
enum Source {
    /// Everybody is the administrator.
    Nobody,
    /// The headers that a trusted proxy sets.
    Headers { anonymous: bool },
    /// Tokens, which Keystone knows: headers that claim an identity are lies then.
    Tokens { keystone: Keystone, anonymous: bool },
    /// Nothing: nobody is let in.
    Nothing,
}

impl Identity {
    /// How the pipeline wants callers to be recognised. One that names no way lets nobody in.
    pub fn new(
        pipeline: &Pipeline,
        anonymous: bool,
        policy: Policy,
        keystone: Option<Keystone>,
    ) -> Self {
        let has = |filter: &Filter| pipeline.filters.contains(filter);
        let source = if has(&Filter::UnauthenticatedContext) {
            Source::Nobody
        } else if has(&Filter::Context) && !has(&Filter::AuthToken) {
            Source::Headers { anonymous }
        } else if has(&Filter::Context)
            && let Some(keystone) = keystone
        {
            Source::Tokens {
                keystone,
                anonymous,
            }
        } else {
            Source::Nothing
        };
        Self { source, policy }
    }

    async fn caller(&self, request: &mut Request, request_id: String) -> Result<Caller, Response> {
        let refused = |error: auth::Error| Fault::from(error).into_response();
        match &self.source {
            Source::Nobody => Ok(auth::administrator(request_id)),
            Source::Headers { anonymous } => {
                let headers = request.headers();
                let caller = auth::caller_from_headers(headers, *anonymous, request_id);
                Ok(self.judged(caller.map_err(refused)?).await)
            }
            Source::Tokens {
                keystone,
                anonymous,
            } => {
                auth::strip(request.headers_mut());
                let method = request.method().as_str();
                let path = request.uri().path();
                let caller = keystone
                    .caller(request.headers(), method, path, request_id.clone())
                    .await;
                match caller {
                    Ok(caller) => Ok(self.judged(caller).await),
                    Err(auth::Error::Unconfirmed) if !keystone.delays() => Err(rejected()),
                    Err(auth::Error::Unconfirmed) if *anonymous => Ok(auth::reader(request_id)),
                    Err(error) => Err(refused(error)),
                }
            }
            Source::Nothing => Err(refused(auth::Error::Unconfirmed)),
        }
    }

    async fn judged(&self, mut caller: Caller) -> Caller {
        caller.is_admin |= self.policy.is_admin(&caller).await;
        caller
    }

    /// Tells a client that was refused where it gets a token.
    fn guide(&self, response: &mut Response) {
        if let Source::Tokens { keystone, .. } = &self.source
            && response.status() == StatusCode::UNAUTHORIZED
            && let Ok(value) = keystone.www_authenticate().parse()
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
    }
}

impl From<auth::Error> for Fault {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::Unconfirmed => Fault::of(StatusCode::UNAUTHORIZED),
            auth::Error::KeystoneAway => {
                Fault::of(StatusCode::SERVICE_UNAVAILABLE).because(error.to_string())
            }
            auth::Error::Ambiguous(_) => Fault::new(StatusCode::BAD_REQUEST, error.to_string()),
            // No fault of the service, but this is what the original says.
            auth::Error::InvalidCatalog => {
                Fault::of(StatusCode::INTERNAL_SERVER_ERROR).because(error.to_string())
            }
        }
    }
}

/// The layer: puts the [`Caller`] on the request for the handlers, and on the answer for the log.
pub async fn layer(
    State(identity): State<Arc<Identity>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request
        .extensions()
        .get()
        .map_or_else(String::new, |RequestId(id)| id.clone());
    let caller = match identity.caller(&mut request, id).await {
        Ok(caller) => caller,
        Err(mut response) => {
            identity.guide(&mut response);
            return response;
        }
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(caller);
    identity.guide(&mut response);
    response
}

/// How the token check itself refuses: in JSON, whatever was asked for.
fn rejected() -> Response {
    let body = r#"{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}"#;
    let headers = [(CONTENT_TYPE, "application/json; charset=UTF-8")];
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}
