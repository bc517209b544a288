//! Every route of the API, on one page.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use http::header::ALLOW;
use http::{Method, StatusCode, Uri};
use tower::ServiceExt as _;

use super::extract::NoBody;
use super::fault;
use super::layers;
use super::methods::{absent, delete, get, post, put, unoffered};
use super::v2::{
    actions, cache, cached_images, data, images, import, info, locations, members, metadefs,
    schemas, stores, tags, task_list, tasks,
};
use crate::config::paste::Filter;
use crate::domain::Caller;
use crate::domain::schema::documents;
use crate::ops::Glance;

/// The API. Who asks is known before a request comes here, and faults are spelled after it left.
pub fn router(glance: Glance) -> Router {
    let routes = routes(&glance).fallback(async |method: Method| fault::unrouted(&method));
    let routes = routes.layer(from_fn(layers::name_route)).with_state(glance);
    // Paths are put straight before they are matched, so the routes are behind a service of their own.
    let straightened = tower::service_fn(move |request: Request| {
        let routes = routes.clone();
        async move { Ok::<Response, std::convert::Infallible>(answer(routes, request).await) }
    });
    Router::new().fallback_service(straightened)
}

async fn answer(routes: Router, mut request: Request) -> Response {
    if let Some(uri) = straight(request.uri()) {
        *request.uri_mut() = uri;
    }
    match routes.oneshot(request).await {
        Ok(mut response) => {
            // A path that finds nothing by this method does not tell of others.
            if response.status() != StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().remove(ALLOW);
            }
            response
        }
        Err(never) => match never {},
    }
}

#[rustfmt::skip]
fn routes(glance: &Glance) -> Router<Glance> {
    let mut routes = Router::new()
        .route("/v2/images", get(images::list).post(images::create).allow("GET, POST"))
        .route("/v2/images/{id}", get(images::show).patch(images::update).delete(images::delete).allow("GET, PATCH, DELETE"))
        .route("/v2/images/{id}/file", get(data::download).put(data::upload).allow("GET, PUT"))
        .route("/v2/images/{id}/stage", put(data::stage).allow("PUT"))
        .route("/v2/images/{id}/import", post(import::start).allow("POST"))
        .route("/v2/images/{id}/locations", get(locations::list).post(locations::add).allow("POST"))
        .route("/v2/images/{id}/tasks", get(tasks::of_image).only())
        .route("/v2/images/{id}/actions/deactivate", post(actions::deactivate).allow("POST"))
        .route("/v2/images/{id}/actions/reactivate", post(actions::reactivate).allow("POST"))
        .route("/v2/images/{id}/tags/{tag}", put(tags::add).delete(tags::remove).allow("PUT, DELETE"))
        .route("/v2/images/{id}/members", get(members::list).post(members::add).allow("GET, POST"))
        .route("/v2/images/{id}/members/{member}", get(members::show).put(members::answer).delete(members::remove).allow("GET, PUT, DELETE"))
        .route("/v2/stores/{store}/{id}", delete(stores::remove).allow("DELETE"))
        .route("/v2/tasks", get(task_list::list).post(tasks::create).allow("GET, POST"))
        .route("/v2/tasks/{id}", get(tasks::show).delete(tasks::delete).allow("GET, DELETE"))
        .route("/v2/info/import", get(info::import).allow("GET"))
        .route("/v2/info/stores", get(info::stores).allow("GET"))
        .route("/v2/info/stores/detail", get(info::stores_detail).allow("GET"))
        .route("/v2/info/usage", get(info::usage).only())
        .route("/v2/cache", get(cache::show).delete(cache::clear).allow("GET, DELETE"))
        .route("/v2/cache/{id}", put(cache::fetch).delete(cache::remove).allow("DELETE, PUT"))
        .route("/v2/cache/clean", post(cache::clean).allow("POST"))
        .route("/v2/cache/prune", post(cache::prune).allow("POST"))
        .route("/v2/cache/pins", get(cache::pins).only())
        .route("/v2/cache/pins/{id}", put(cache::pin).delete(cache::unpin).only())
        .route("/v2/cache/nodes/{id}", get(cache::nodes).allow("GET"))
        .route("/v2/cache_nodes", get(cache::all_nodes).only())
        .route("/v2/cache_node/{id}/lead", put(cache::lead).only())
        .route("/v2/schemas/image", get(schemas::image).allow("GET"))
        .route("/v2/schemas/images", get(schemas::images).allow("GET"))
        .route("/v2/metadefs/resource_types", absent("GET"))
        .route("/v2/metadefs/namespaces", get(metadefs::namespaces).post(unoffered).allow("GET, POST"))
        .route("/v2/metadefs/namespaces/{namespace}", absent("GET, PUT, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/resource_types", absent("GET, POST"))
        .route("/v2/metadefs/namespaces/{namespace}/resource_types/{name}", absent("DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/properties", absent("GET, POST, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/properties/{name}", absent("GET, PUT, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/objects", absent("GET, POST, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/objects/{name}", absent("GET, PUT, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/tags", absent("GET, POST, DELETE"))
        .route("/v2/metadefs/namespaces/{namespace}/tags/{name}", absent("GET, POST, PUT, DELETE"));
    for (name, document) in documents::FIXED {
        let show = move |_: NoBody, _: Caller| schemas::fixed(document);
        routes = routes.route(&format!("/v2/schemas/{name}"), get(show).allow("GET"));
    }
    if !glance.config.pipeline.filters.contains(&Filter::CacheManage) {
        return routes;
    }
    routes
        .route("/v2/cache_node", get(cached_images::overview).only())
        .route("/v2/cache_node/{id}", get(cached_images::profile).only())
        .route("/v2/cached_images", get(cached_images::list).delete(cached_images::clear).only())
        .route("/v2/cached_images/{id}", delete(cached_images::remove).only())
        .route("/v2/queued_images", get(cached_images::queue).delete(cached_images::clear_queue).only())
        .route("/v2/queued_images/{id}", put(cached_images::enqueue).delete(cached_images::dequeue).only())
}

/// The path as the original sees it: an escaped slash is a slash, and several are one. None where it is so.
fn straight(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains("//") && !path.contains("%2F") && !path.contains("%2f") {
        return None;
    }
    let mut straight = String::with_capacity(path.len());
    for part in path
        .replace("%2F", "/")
        .replace("%2f", "/")
        .split_inclusive('/')
    {
        if part != "/" || !straight.ends_with('/') {
            straight.push_str(part);
        }
    }
    if let Some(query) = uri.query() {
        straight.push('?');
        straight.push_str(query);
    }
    straight.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn straightened(path: &'static str) -> Option<String> {
        straight(&Uri::from_static(path)).map(|uri| uri.to_string())
    }

    #[test]
    fn slashes_are_joined_and_unescaped() {
        assert_eq!(straightened("/v2//images"), Some("/v2/images".to_owned()));
        assert_eq!(
            straightened("/v2/images/x/tags/a%2Fb?y=%2F"),
            Some("/v2/images/x/tags/a/b?y=%2F".to_owned())
        );
        assert_eq!(straightened("//v2///x//"), Some("/v2/x/".to_owned()));
    }

    #[test]
    fn a_straight_path_is_left_alone() {
        assert_eq!(straightened("/v2/images/x/tags/%252F"), None);
    }
}
