//! HTTP, and nothing else.
//!
//! [`service`] puts the layers around the routes, [`listener`] brings requests to it.

pub mod error;
pub mod extract;
pub mod fault;
pub mod layers;
pub mod listener;
mod methods;
pub mod metrics;
mod page;
pub mod router;
pub mod v2;
pub mod versions;
pub mod view;
mod watched;

use axum::Router;
use tokio_util::sync::CancellationToken;

pub use fault::Fault;
pub use layers::{BaseUrl, Client, Peer, RequestId};

use crate::ops::Glance;
use layers::Settings;
use versions::Versions;

/// The whole service: the routes of the API, and what every request passes before them. `draining` is
/// cancelled when the node begins to end.
pub fn service(glance: &Glance, router: Router, draining: CancellationToken) -> Router {
    let config = &glance.config;
    let versions = Versions {
        cache: config.cache.is_some(),
        stores: config.stores.multi,
        endpoint: config.api.public_endpoint.clone(),
    };
    layers::wrap(
        router,
        Settings {
            api: &config.api,
            pipeline: &config.pipeline,
            limits: config.request_limits,
            versions,
            policy: glance.policy.clone(),
            keystone: glance.keystone.clone(),
            draining,
            metrics: metrics::beside(glance),
            counters: glance.counters.clone(),
        },
    )
}
