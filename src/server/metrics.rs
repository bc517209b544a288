//! What Prometheus reads, on an address of its own or beside the API. Whether callers are asked who they are is
//! the operator's choice, and the same on both.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;

use super::error::Result;
use super::layers::{self, Identity};
use crate::config::metrics::PATH;
use crate::domain::Caller;
use crate::ops::Glance;

/// The format of the text exposition.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The pages of an address of its own.
pub fn service(glance: &Glance) -> Router {
    layers::around_own(at(PATH, glance))
}

/// The page beside the API, where the operator wants one.
pub(super) fn beside(glance: &Glance) -> Option<Router> {
    let path = glance.config.metrics.path.as_deref()?;
    Some(at(path, glance))
}

fn at(path: &str, glance: &Glance) -> Router {
    let config = &glance.config;
    if !config.metrics.authenticate {
        return Router::new().route(path, get(open).with_state(glance.clone()));
    }
    let identity = Identity::new(
        &config.pipeline,
        config.api.allow_anonymous_access,
        glance.policy.clone(),
        glance.keystone.clone(),
    );
    let guarded = Router::new().route(path, get(closed).with_state(glance.clone()));
    layers::guarded(guarded, identity)
}

async fn open(State(glance): State<Glance>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], glance.metrics().await)
}

async fn closed(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    Ok(([(CONTENT_TYPE, TEXT)], glance.metrics_for(&caller).await?))
}
