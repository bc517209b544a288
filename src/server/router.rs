//! Every route of the API, on one page.

use axum::Router;

use crate::ops::Glance;

/// The routes, under `/v2`.
pub fn router(glance: Glance) -> Router {
    Router::new().with_state(glance)
}
