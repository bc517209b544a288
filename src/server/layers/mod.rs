//! What every request passes before its handler, one file per layer.
//!
//! The order matters: the log sees every request, faults are written below it so that it counts their
//! bytes, a panic is one of them, and the version is known before anybody asks who the caller is.

mod accept;
mod access_log;
mod cors;
mod faults;
mod gzip;
mod healthcheck;
mod identity;
mod measure;
mod page;
mod panics;
mod proxy_headers;
mod request_id;
mod throttle;
mod version_negotiation;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Extension, Router};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use tokio_util::sync::CancellationToken;

pub use measure::name_route;
pub use proxy_headers::{BaseUrl, Client, Peer};
pub use request_id::RequestId;

use super::versions::Versions;
use crate::auth::Keystone;
use crate::config::paste::Filter;
use crate::config::{ApiConfig, Pipeline, RequestLimitsConfig};
use crate::policy::Policy;
use crate::telemetry::counters::Counters;
use healthcheck::Healthcheck;
pub use identity::Identity;
use throttle::Throttle;

/// What the layers go by.
#[derive(Debug)]
pub struct Settings<'c> {
    pub api: &'c ApiConfig,
    pub pipeline: &'c Pipeline,
    pub limits: RequestLimitsConfig,
    pub versions: Versions,
    pub policy: Policy,
    /// Who checks tokens, where the pipeline wants them checked.
    pub keystone: Option<Keystone>,
    /// Cancelled when the node begins to end.
    pub draining: CancellationToken,
    /// What the operator wants to have on this address besides the API.
    pub metrics: Option<Router>,
    pub counters: Counters,
}

/// Puts all layers around the routes. The routes become a fallback, for layers that change a path must have
/// done so before anything is matched against it.
pub fn wrap(router: Router, settings: Settings<'_>) -> Router {
    let Settings {
        api,
        pipeline,
        limits,
        versions,
        policy,
        keystone,
        draining,
        metrics,
        counters,
    } = settings;
    let versioned = Router::new()
        .route("/v2", any(to_its_root))
        .fallback_service(router);
    let identity = Identity::new(pipeline, api.allow_anonymous_access, policy, keystone);
    let mut service = Router::new().fallback_service(versioned);
    if let Some(throttle) = Throttle::new(limits.project) {
        service = service.layer(from_fn_with_state(throttle, throttle::by_project));
    }
    service = service
        .layer(from_fn_with_state(Arc::new(identity), identity::layer))
        .layer(from_fn_with_state(
            Arc::new(versions),
            version_negotiation::layer,
        ));
    if let Some(throttle) = Throttle::new(limits.address) {
        service = service.layer(from_fn_with_state(throttle, throttle::by_address));
    }
    for filter in &pipeline.filters {
        if let Filter::Cors(config) = filter {
            let config = Arc::new(config.clone());
            service = service.layer(from_fn_with_state(config, cors::layer));
        }
    }
    if let Some(config) = pipeline.healthcheck.clone() {
        let healthcheck = Arc::new(Healthcheck { config, draining });
        service = service.layer(from_fn_with_state(healthcheck, healthcheck::layer));
    }
    if let Some(metrics) = metrics {
        service = metrics.fallback_service(service);
    }
    service = service
        .layer(from_fn(panics::layer))
        .layer(from_fn_with_state(
            api.max_request_id_length,
            request_id::limit,
        ))
        .layer(from_fn(faults::layer));
    if pipeline.filters.contains(&Filter::Gzip) {
        service = service.layer(from_fn(gzip::layer));
    }
    let trusted = api.proxy_headers && pipeline.filters.contains(&Filter::HttpProxyToWsgi);
    service
        .layer(from_fn_with_state(counters, measure::layer))
        .layer(from_fn(access_log::layer))
        .layer(from_fn(request_id::layer))
        .layer(from_fn_with_state(trusted, proxy_headers::layer))
}

/// Puts around a page of our own what every page has: a request id, and faults as clients want them.
pub fn around_own(router: Router) -> Router {
    router
        .layer(from_fn(panics::layer))
        .layer(from_fn(faults::layer))
        .layer(from_fn(request_id::layer))
}

/// Lets nobody in whom the pipeline would not let in.
pub fn guarded(router: Router, identity: Identity) -> Router {
    router.layer(from_fn_with_state(Arc::new(identity), identity::layer))
}

/// The version's path without a slash leads to the one with it.
async fn to_its_root(base: Extension<BaseUrl>) -> impl IntoResponse {
    let Extension(BaseUrl(base)) = base;
    (
        StatusCode::FOUND,
        [
            (LOCATION, format!("{base}/v2/")),
            (CONTENT_TYPE, "text/plain; charset=utf8".to_owned()),
        ],
    )
}

#[cfg(test)]
mod tests;
