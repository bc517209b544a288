//! Who is asking: a layer before the routes has found out.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;

use crate::domain::Caller;
use crate::server::fault::Fault;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Fault::of(StatusCode::UNAUTHORIZED))
    }
}
