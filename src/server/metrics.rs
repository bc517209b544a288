//! What Prometheus reads, on an address of its own or beside the API; on the former there is a page for people, too.
//! Whether callers are asked who they are is the operator's choice, and the same for all of it.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::error::Result;
use super::extract::Query;
use super::fault::Fault;
use super::layers::{self, Identity};
use super::page;
use crate::config::metrics::PATH;
use crate::domain::Caller;
use crate::ops::Glance;

/// The format of the text exposition.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whoever asks for more images gets as many.
const MOST_IMAGES: usize = 100;

/// The pages of an address of its own.
pub fn service(glance: &Glance) -> Router {
    let page = route(page::PATH, glance, get(page::open), get(page::closed));
    layers::around_own(at(PATH, glance).merge(page))
}

/// The page beside the API, where the operator wants one.
pub(super) fn beside(glance: &Glance) -> Option<Router> {
    let path = glance.config.metrics.path.as_deref()?;
    Some(at(path, glance))
}

fn at(path: &str, glance: &Glance) -> Router {
    route(path, glance, get(open), get(closed))
}

/// One of two ways to answer: for everybody, or for those who may.
fn route(
    path: &str,
    glance: &Glance,
    open: MethodRouter<Glance>,
    closed: MethodRouter<Glance>,
) -> Router {
    let config = &glance.config;
    if !config.metrics.authenticate {
        return Router::new().route(path, open.with_state(glance.clone()));
    }
    let identity = Identity::new(
        &config.pipeline,
        config.api.allow_anonymous_access,
        glance.policy.clone(),
        glance.keystone.clone(),
    );
    let guarded = Router::new().route(path, closed.with_state(glance.clone()));
    layers::guarded(guarded, identity)
}

async fn open(State(glance): State<Glance>, query: Query) -> Result<impl IntoResponse> {
    let images = images(&query)?;
    Ok(([(CONTENT_TYPE, TEXT)], glance.metrics(images).await))
}

async fn closed(
    State(glance): State<Glance>,
    query: Query,
    caller: Caller,
) -> Result<impl IntoResponse> {
    let images = images(&query)?;
    let text = glance.metrics_for(&caller, images).await?;
    Ok(([(CONTENT_TYPE, TEXT)], text))
}

/// How many images are to be told of, each in series of its own: none, unless somebody asks for them.
fn images(query: &Query) -> Result<usize> {
    let asked = query.0.iter().rfind(|(name, _)| name == "images");
    let Some((_, most)) = asked else {
        return Ok(0);
    };
    let refusal = || {
        let sentence = format!("images must be a number up to {MOST_IMAGES}.");
        Fault::new(StatusCode::BAD_REQUEST, sentence)
    };
    let most: usize = most.parse().map_err(|_| refusal())?;
    Ok(most.min(MOST_IMAGES))
}
