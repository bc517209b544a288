//! `/v2/images`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, response::AppendHeaders};
use http::header::LOCATION;
use http::{HeaderName, StatusCode};

use crate::domain::Caller;
use crate::domain::listing::Listing;
use crate::ops::{Error, Glance};
use crate::server::BaseUrl;
use crate::server::error::Result;
use crate::server::extract::{Json, NoBody, Patch, Path, Query};
use crate::server::view::{self, Document, Empty};

const IMPORT_METHODS: HeaderName = HeaderName::from_static("openstack-image-import-methods");
const STORE_IDS: HeaderName = HeaderName::from_static("openstack-image-store-ids");

/// `GET /v2/images`
pub async fn list(
    State(glance): State<Glance>,
    caller: Caller,
    query: Query,
) -> Result<impl IntoResponse> {
    let listing = Listing::read(&query.0).map_err(Error::from)?;
    let page = glance.images(&caller, &listing).await?;
    Ok(Document(view::page(&page, &query, &caller, &glance.config)))
}

/// `POST /v2/images`
pub async fn create(
    State(glance): State<Glance>,
    caller: Caller,
    base: Option<Extension<BaseUrl>>,
    Json(document): Json,
) -> Result<Response> {
    let image = glance.create_image(&caller, &document).await?;
    let base = base.map_or_else(String::new, |Extension(BaseUrl(url))| url);
    let location = format!("{base}/v2/images/{}", image.id);
    let config = &glance.config;
    let methods = config.image.import_methods.join(",");
    let stores = glance.stores_to_choose().unwrap_or_default().iter();
    let stores: Vec<&str> = stores.map(|store| store.id.as_str()).collect();
    let offers = [(IMPORT_METHODS, methods), (STORE_IDS, stores.join(","))];
    let offers = offers.into_iter().filter(|(_, offer)| !offer.is_empty());
    Ok((
        StatusCode::CREATED,
        [(LOCATION, location)],
        AppendHeaders(offers),
        Document(view::image(&image, &caller, config)),
    )
        .into_response())
}

/// `GET /v2/images/{id}`
pub async fn show(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let image = glance.image(&caller, &id).await?;
    Ok(Document(view::image(&image, &caller, &glance.config)))
}

/// `PATCH /v2/images/{id}`
pub async fn update(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    Patch { dialect, document }: Patch,
) -> Result<impl IntoResponse> {
    let image = (glance.patch_image(&caller, &id, &document, dialect)).await?;
    Ok(Document(view::image(&image, &caller, &glance.config)))
}

/// `DELETE /v2/images/{id}`
pub async fn delete(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.delete_image(&caller, &id).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}
