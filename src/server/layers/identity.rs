//! Who is asking: nobody gets past this layer without being somebody.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::request_id::RequestId;
use crate::auth;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Everybody is the administrator.
    Nobody,
    /// The headers that a trusted proxy sets.
    Headers { anonymous: bool },
    /// Tokens, which nothing here can check: headers that claim an identity are lies then.
    Tokens,
}

impl Identity {
    /// How the pipeline wants callers to be recognised. One that names no way lets nobody in.
    pub fn new(pipeline: &Pipeline, anonymous: bool, policy: Policy) -> Self {
        let has = |filter: &Filter| pipeline.filters.contains(filter);
        let source = if has(&Filter::UnauthenticatedContext) {
            Source::Nobody
        } else if has(&Filter::Context) && !has(&Filter::AuthToken) {
            Source::Headers { anonymous }
        } else {
            Source::Tokens
        };
        Self { source, policy }
    }

    fn caller(&self, headers: &HeaderMap, request_id: String) -> Result<Caller, Fault> {
        match self.source {
            Source::Nobody => Ok(auth::administrator(request_id)),
            Source::Headers { anonymous } => {
                let mut caller = auth::caller_from_headers(headers, anonymous, request_id)?;
                caller.is_admin |= self.policy.is_admin(&caller);
                Ok(caller)
            }
            Source::Tokens => Err(auth::Error::Unconfirmed.into()),
        }
    }
}

impl From<auth::Error> for Fault {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::Unconfirmed => Fault::of(StatusCode::UNAUTHORIZED),
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
    let caller = match identity.caller(request.headers(), id) {
        Ok(caller) => caller,
        Err(fault) => return fault.into_response(),
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(caller);
    response
}
