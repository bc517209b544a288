//! `/v2/info`: what this site has to offer.

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{AnyBody, NoBody};
use crate::server::view::{self, Document};

/// `GET /v2/info/import`
pub async fn import(State(glance): State<Glance>, _: NoBody, _: Caller) -> impl IntoResponse {
    Document(json!({
        "import-methods": {
            "description": "Import methods available.",
            "type": "array",
            "value": glance.config.image.import_methods,
        },
    }))
}

/// `GET /v2/info/stores`
pub async fn stores(
    State(glance): State<Glance>,
    _: NoBody,
    _: Caller,
) -> Result<impl IntoResponse> {
    let default = &glance.config.stores.default;
    let stores = glance.stores_to_choose()?.iter();
    let stores: Value = stores.map(|store| view::store(store, default)).collect();
    Ok(Document(json!({ "stores": stores })))
}

/// `GET /v2/info/stores/detail`
pub async fn stores_detail(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
) -> Result<impl IntoResponse> {
    let default = &glance.config.stores.default;
    let stores = glance.stores_in_detail(&caller).await?.iter();
    let stores: Value = stores
        .map(|store| view::store_in_detail(store, default))
        .collect();
    Ok(Document(json!({ "stores": stores })))
}

/// `GET /v2/info/usage`: the limits that Keystone sets, and what of them is used.
pub async fn usage(
    State(glance): State<Glance>,
    caller: Caller,
    _: AnyBody,
) -> Result<impl IntoResponse> {
    let told = glance.limits_and_usage(&caller).await?.into_iter();
    let usage: serde_json::Map<_, _> = told
        .map(|(resource, usage, limit)| {
            let name = resource.name().to_owned();
            (name, json!({"usage": usage, "limit": limit}))
        })
        .collect();
    Ok(Document(json!({ "usage": usage })))
}
