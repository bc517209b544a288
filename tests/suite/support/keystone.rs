//! A Keystone on loopback with a few tokens, as well-behaved as a test wants it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::child::unused_port;
use super::limits::Limited;

/// How it answers questions about tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// After a while, in which a crowd comes.
    Slow,
    /// Never.
    Silent,
    /// With a page of a proxy and this status.
    Nonsense(u16),
    /// It no longer knows the service's token.
    Forgetful,
}

#[derive(Debug)]
struct Inner {
    mood: Mutex<Mood>,
    revoked: Mutex<Vec<String>>,
    validated: AtomicUsize,
    issued: AtomicUsize,
    limited: Mutex<Limited>,
    told: AtomicUsize,
}

/// Tokens are `NAME`, one for each role and scope that the tests want; see [`described`].
#[derive(Debug)]
pub(crate) struct FakeKeystone {
    inner: Arc<Inner>,
    port: u16,
    serving: JoinHandle<()>,
}

impl FakeKeystone {
    pub(crate) async fn new() -> Self {
        // Nobody gets it when this one has left.
        let port = unused_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.expect("a port of ours");
        let inner = Arc::new(Inner {
            mood: Mutex::new(Mood::Well),
            revoked: Mutex::default(),
            validated: AtomicUsize::new(0),
            issued: AtomicUsize::new(0),
            limited: Mutex::default(),
            told: AtomicUsize::new(0),
        });
        let service = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("serving");
        });
        Self {
            inner,
            port,
            serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.inner.mood.lock().expect("the mood") = mood;
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.inner
            .revoked
            .lock()
            .expect("the list")
            .push(token.to_owned());
    }

    /// How often it was asked about a token.
    pub(crate) fn validated(&self) -> usize {
        self.inner.validated.load(Ordering::SeqCst)
    }

    /// How many tokens the service has had.
    pub(crate) fn issued(&self) -> usize {
        self.inner.issued.load(Ordering::SeqCst)
    }

    /// From now on these are the limits.
    pub(crate) fn limit(&self, limited: Limited) {
        *self.inner.limited.lock().expect("the limits") = limited;
    }

    /// How often it was asked about limits.
    pub(crate) fn told(&self) -> usize {
        self.inner.told.load(Ordering::SeqCst)
    }

    /// It and its port are gone.
    pub(crate) async fn leave(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }
}

impl Drop for FakeKeystone {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(keystone): State<Arc<Inner>>, request: Request) -> Response {
    if request.method() == Method::POST {
        return issue(&keystone);
    }
    // The body must not be held while it waits.
    let (request, _) = request.into_parts();
    let header = |name: &str| {
        let value = request.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let mood = *keystone.mood.lock().expect("the mood");
    keystone.validated.fetch_add(1, Ordering::SeqCst);
    let newest = format!("service-{}", keystone.issued.load(Ordering::SeqCst));
    match mood {
        Mood::Slow => tokio::time::sleep(Duration::from_secs(2)).await,
        Mood::Silent => std::future::pending().await,
        Mood::Nonsense(status) => {
            let status = StatusCode::from_u16(status).expect("a status");
            return (status, "<html>no keystone</html>").into_response();
        }
        Mood::Forgetful if newest == "service-1" => return error(StatusCode::UNAUTHORIZED),
        Mood::Well | Mood::Forgetful => {}
    }
    if header("x-auth-token") != Some(newest) {
        return error(StatusCode::UNAUTHORIZED);
    }
    if !request.uri.path().ends_with("/auth/tokens") {
        keystone.told.fetch_add(1, Ordering::SeqCst);
        return keystone
            .limited
            .lock()
            .expect("the limits")
            .answer(&request.uri);
    }
    let token = header("x-subject-token").unwrap_or_default();
    let revoked = keystone.revoked.lock().expect("the list").contains(&token);
    let allow_expired = request
        .uri
        .query()
        .is_some_and(|query| query.contains("allow_expired=1"));
    match described(&token) {
        Some(_) if revoked => error(StatusCode::NOT_FOUND),
        Some(_) if token == "ended" && !allow_expired => error(StatusCode::NOT_FOUND),
        Some(body) => body.to_string().into_response(),
        None => error(StatusCode::NOT_FOUND),
    }
}

fn issue(keystone: &Inner) -> Response {
    let number = keystone.issued.fetch_add(1, Ordering::SeqCst) + 1;
    let body = json!({"token": {
        "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T04:00:00.000000Z",
        "user": {"id": "glance", "domain": {"id": "default"}},
    }});
    let headers = [("X-Subject-Token", format!("service-{number}"))];
    (StatusCode::CREATED, headers, body.to_string()).into_response()
}

fn error(status: StatusCode) -> Response {
    let body = json!({"error": {"code": status.as_u16(), "title": "", "message": "no"}});
    (status, body.to_string()).into_response()
}

/// What a token stands for.
fn described(token: &str) -> Option<Value> {
    // With those that they imply, as Keystone lists them.
    let roles: &[&str] = match token {
        "admin" => &["admin", "manager", "member", "reader"],
        "member" | "late" | "ended" => &["member", "reader"],
        "reader" | "system" => &["reader"],
        "nova" => &["service"],
        _ => return None,
    };
    let expires_at = match token {
        "late" | "ended" => "2020-01-01T00:00:00.000000Z",
        _ => "2999-01-01T00:00:00.000000Z",
    };
    let mut said = json!({
        "expires_at": expires_at,
        "issued_at": "2019-01-01T00:00:00.000000Z",
        "user": {"id": token, "name": token, "domain": {"id": "default", "name": "Default"}},
        "roles": roles.iter().map(|name| json!({"id": name, "name": name})).collect::<Vec<_>>(),
    });
    if token == "system" {
        said["system"] = json!({"all": true});
    } else {
        let domain = json!({"id": "default", "name": "Default"});
        said["project"] = json!({"id": "p", "name": "p", "domain": domain});
    }
    Some(json!({ "token": said }))
}
