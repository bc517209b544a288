//! How many requests there are of each kind, and how long they take: to the first byte of the answer, and to the
//! last one.

use std::task::Poll;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http_body::Body as _;

use crate::server::watched::{Part, Watch, Watched};
use crate::telemetry::counters::Counters;

/// What is told of requests that found no route.
const NO_ROUTE: &str = "other";

/// The route that a request has found, on its answer.
#[derive(Debug, Clone)]
struct Route(MatchedPath);

/// The layer between the routes and their handlers: says on the answer which route it was.
pub async fn name_route(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

/// The layer around the service.
pub async fn layer(State(counters): State<Counters>, request: Request, next: Next) -> Response {
    let mut measure = Measure {
        counters,
        begun: Instant::now(),
        method: known(request.method()),
        route: None,
        // As other servers have it: 499, the client left before there was an answer.
        status: 499,
        begins: true,
    };
    let response = next.run(request).await;
    measure.status = response.status().as_u16();
    measure.route = response
        .extensions()
        .get()
        .map(|Route(route)| route.clone());
    response.map(|body| {
        if body.is_end_stream() {
            measure.begin();
        }
        Body::new(Watched::new(body, measure))
    })
}

/// Methods are texts that clients choose.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A request, counted when it is dropped.
struct Measure {
    counters: Counters,
    begun: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    status: u16,
    /// Nothing of the answer has left.
    begins: bool,
}

impl Measure {
    fn route(&self) -> &str {
        self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str)
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.begins) {
            let took = self.begun.elapsed();
            self.counters.began(self.route(), self.method, took);
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.counters
            .answered(self.route(), self.method, self.status, took);
    }
}

impl Watch for Measure {
    fn asked(&mut self, part: &Poll<Part>) {
        if part.is_ready() {
            self.begin();
        }
    }
}
