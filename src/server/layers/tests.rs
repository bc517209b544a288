//! All layers together, around a few routes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::config::PolicyConfig;
use crate::config::paste::{CorsConfig, HealthcheckConfig};
use crate::domain::Caller;
use crate::telemetry::counters::Counters;

const ID: &str = "x-openstack-request-id";

fn api() -> ApiConfig {
    ApiConfig {
        bind_host: [127, 0, 0, 1].into(),
        bind_port: 0,
        backlog: 16,
        public_endpoint: None,
        self_reference_url: None,
        max_request_id_length: 64,
        allow_anonymous_access: false,
        proxy_headers: false,
        header_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(5),
        drain_notice: Duration::ZERO,
        drain_timeout: Duration::from_secs(5),
        max_header_size: 16 << 10,
        max_connections: 16,
    }
}

async fn whoami(caller: axum::Extension<Caller>, base: axum::Extension<BaseUrl>) -> String {
    let user = caller.user_id.as_deref().unwrap_or("nobody");
    format!("{user} {} {}", caller.is_admin, base.0.0)
}

async fn falls_over() -> &'static str {
    panic!("a secret")
}

fn service(identity: Filter) -> Router {
    let cors = CorsConfig {
        allowed_origin: Vec::new(),
        allow_credentials: false,
        expose_headers: Vec::new(),
        max_age: None,
        allow_methods: Vec::new(),
        allow_headers: Vec::new(),
    };
    let pipeline = Pipeline {
        flavor: String::new(),
        filters: vec![Filter::Cors(cors), Filter::VersionNegotiation, identity],
        healthcheck: Some(HealthcheckConfig::default()),
    };
    let rules = PolicyConfig::default();
    let routes = Router::new()
        .route("/v2/me", get(whoami))
        .route("/v2/panic", get(falls_over));
    wrap(
        routes,
        Settings {
            metrics: None,
            counters: Counters::default(),
            api: &api(),
            pipeline: &pipeline,
            limits: RequestLimitsConfig::default(),
            versions: Versions {
                cache: false,
                stores: false,
                endpoint: None,
            },
            policy: Policy::load(&rules).unwrap(),
            keystone: None,
            draining: CancellationToken::new(),
        },
    )
}

async fn ask(
    service: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (Response<()>, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (
        Response::from_parts(parts, ()),
        String::from_utf8(bytes.to_vec()).unwrap(),
    )
}

const ALICE: [(&str, &str); 4] = [
    ("x-identity-status", "Confirmed"),
    ("x-user-id", "alice"),
    ("x-roles", "member"),
    ("host", "here:9292"),
];

#[tokio::test]
async fn a_confirmed_identity_reaches_the_handler() {
    let (response, body) = ask(service(Filter::Context), Method::GET, "/v2.9/me", &ALICE).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body, "alice false http://here:9292");
    assert!(response.headers()[ID].to_str().unwrap().starts_with("req-"));
}

#[tokio::test]
async fn the_admin_role_makes_an_administrator() {
    let mut headers = ALICE;
    headers[2].1 = "Admin,member";
    let (_, body) = ask(service(Filter::Context), Method::GET, "/v2/me", &headers).await;
    assert_eq!(body, "alice true http://here:9292");
}

#[tokio::test]
async fn everybody_is_the_administrator_without_identity() {
    let service = service(Filter::UnauthenticatedContext);
    let (_, body) = ask(service, Method::GET, "/v2/me", &[]).await;
    assert_eq!(body, "nobody true http://localhost");
}

#[tokio::test]
async fn an_unconfirmed_identity_is_401_whatever_it_asks_for() {
    for path in ["/v2/me", "/v2/nothing"] {
        let headers = [("accept", "*/*"), ("x-user-id", "alice")];
        let (response, body) = ask(service(Filter::Context), Method::GET, path, &headers).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(body.contains("This server could not verify that you are authorized"));
    }
}

#[tokio::test]
async fn claimed_identities_are_lies_where_tokens_should_be_checked() {
    let (response, _) = ask(service(Filter::AuthToken), Method::GET, "/v2/me", &ALICE).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn options_is_200_for_anybody() {
    let (response, body) = ask(service(Filter::Context), Method::OPTIONS, "/v2/me", &[]).await;
    assert_eq!((response.status(), body.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn a_version_without_a_slash_leads_to_the_one_with_it() {
    for path in ["/v2", "/v2.9"] {
        let (response, body) = ask(service(Filter::Context), Method::GET, path, &ALICE).await;
        assert_eq!((response.status(), body.as_str()), (StatusCode::FOUND, ""));
        assert_eq!(response.headers()[LOCATION], "http://here:9292/v2/");
    }
}

#[tokio::test]
async fn the_versions_need_no_identity() {
    let headers = [("host", "here:9292")];
    let (response, body) = ask(service(Filter::Context), Method::GET, "/", &headers).await;
    assert_eq!(response.status(), StatusCode::MULTIPLE_CHOICES);
    assert!(body.contains("\"http://here:9292/v2/\""), "{body}");
    let (response, _) = ask(service(Filter::Context), Method::GET, "/versions", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_given_request_id_is_kept() {
    for (given, kept) in [("short", "req-short"), ("req-1", "req-1")] {
        let headers = [ALICE.as_slice(), &[(ID, given)]].concat();
        let (response, _) = ask(service(Filter::Context), Method::GET, "/v2/me", &headers).await;
        assert_eq!(response.headers()[ID], kept);
    }
}

#[tokio::test]
async fn a_request_id_that_is_too_long_is_refused() {
    let long = "x".repeat(65);
    let headers = [ALICE.as_slice(), &[(ID, &long)]].concat();
    let (response, body) = ask(service(Filter::Context), Method::GET, "/v2/me", &headers).await;
    assert_eq!(
        response.status(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    assert!(body.contains("x-openstack-request-id is too long, max size 64"));
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_message() {
    let (response, body) = ask(service(Filter::Context), Method::GET, "/v2/panic", &ALICE).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("500 Internal Server Error"));
    assert!(!body.contains("secret"));
}

#[tokio::test]
async fn a_service_catalog_that_cannot_be_read_is_a_500() {
    let service = || service(Filter::Context);
    let with = |catalog| [ALICE.as_slice(), &[("x-service-catalog", catalog)]].concat();
    let (response, body) = ask(service(), Method::GET, "/v2/me", &with("not json")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("Invalid service catalog json."));
    let (response, _) = ask(service(), Method::GET, "/v2/me", &with("[]")).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_path_is_404_with_a_page() {
    let headers = [ALICE.as_slice(), &[("accept", "text/plain")]].concat();
    let (response, body) = ask(service(Filter::Context), Method::GET, "/v2/no", &headers).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        body,
        "404 Not Found\n\nThe resource could not be found.\n\n   "
    );
}
