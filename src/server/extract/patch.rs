//! Documents of changes, in one of two dialects that their media type names.

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::Json;
use crate::domain::patch::Dialect;
use crate::server::fault::Fault;

const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const DRAFT_4: &str = "application/openstack-images-v2.0-json-patch";
const DRAFT_10: &str = "application/openstack-images-v2.1-json-patch";
const BOTH: &str =
    "application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch";

/// A document of changes.
#[derive(Debug, Clone)]
pub struct Patch {
    pub dialect: Dialect,
    pub document: Value,
}

impl<S: Send + Sync> FromRequest<S> for Patch {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let dialect = match media_type(&request) {
            DRAFT_4 => Dialect::Draft4,
            DRAFT_10 => Dialect::Draft10,
            _ => return Err(unsupported()),
        };
        let Json(document) = Json::from_request(request, state).await?;
        Ok(Self { dialect, document })
    }
}

/// The media type without its parameters; empty where there is none.
fn media_type(request: &Request) -> &str {
    let value = request.headers().get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

fn unsupported() -> Fault {
    Fault::of(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .because(format!("Image PATCH expects Content-Type one of: {BOTH}"))
        .with(ACCEPT_PATCH, HeaderValue::from_static(BOTH))
}
