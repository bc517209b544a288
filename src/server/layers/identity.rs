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
        let caller = match self.source {
            Source::Nobody => Some(auth::administrator(request_id)),
            Source::Headers { anonymous } => {
                check_catalog(headers)?;
                auth::caller_from_headers(headers, anonymous, request_id).map(|mut caller| {
                    caller.is_admin |= self.policy.is_admin(&caller);
                    caller
                })
            }
            Source::Tokens => None,
        };
        caller.ok_or_else(|| Fault::of(StatusCode::UNAUTHORIZED))
    }
}

/// The service catalog is not used, but one that cannot be read is refused, and this late.
fn check_catalog(headers: &HeaderMap) -> Result<(), Fault> {
    let confirmed = headers
        .get("x-identity-status")
        .is_some_and(|status| status == "Confirmed");
    match headers.get("x-service-catalog") {
        Some(catalog)
            if confirmed
                && serde_json::from_slice::<serde::de::IgnoredAny>(catalog.as_bytes()).is_err() =>
        {
            Err(Fault::of(StatusCode::INTERNAL_SERVER_ERROR)
                .because("Invalid service catalog json."))
        }
        _ => Ok(()),
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
