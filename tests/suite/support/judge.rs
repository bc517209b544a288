//! A server on loopback that has a say in policies, in the clear or over TLS.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::child::unused_port;

/// A question that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) body: String,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// The first part of a path says what is answered: `yes`, `quoted`, `no`, `wordy`, `refused`, `redirected`,
/// `silent`.
#[derive(Debug)]
pub(crate) struct Judge {
    url: String,
    asked: Log,
    serving: JoinHandle<()>,
}

impl Judge {
    pub(crate) async fn new() -> Self {
        let (listener, address) = listener().await;
        let asked = Log::default();
        let service = service(&asked);
        let serving = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("serving");
        });
        Self {
            url: format!("http://{address}"),
            asked,
            serving,
        }
    }

    /// The same over TLS, with a certificate for `127.0.0.1`.
    pub(crate) async fn with(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listener().await;
        let asked = Log::default();
        let service = service(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not believe the certificate hangs up.
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(async move {
                    let http = auto::Builder::new(TokioExecutor::new());
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self {
            url: format!("https://{address}"),
            asked,
            serving,
        }
    }

    /// The address that answers so.
    pub(crate) fn says(&self, answer: &str) -> String {
        format!("{}/{answer}", self.url)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("the log").clone()
    }

    /// It and its port are gone.
    pub(crate) async fn leave(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A certificate for `127.0.0.1` that signed itself.
pub(crate) fn certificate() -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    (parameters.self_signed(&key).expect("a certificate"), key)
}

async fn listener() -> (TcpListener, std::net::SocketAddr) {
    // Nobody gets it when this one has left.
    let listener = TcpListener::bind(("127.0.0.1", unused_port())).await;
    let listener = listener.expect("a port of ours");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn service(asked: &Log) -> Router {
    Router::new().fallback(answer).with_state(Arc::clone(asked))
}

async fn answer(State(asked): State<Log>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let path = head.uri.path().to_owned();
    let first = path.split('/').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("the log").push(Asked {
        path,
        kind: kind.unwrap_or_default().to_owned(),
        body: String::from_utf8(body.to_vec()).expect("text"),
    });
    match first.as_str() {
        "yes" => "True".into_response(),
        "quoted" => "\"True\"".into_response(),
        "no" => "False".into_response(),
        "wordy" => format!("True{}", " ".repeat(100_000)).into_response(),
        "refused" => (StatusCode::FORBIDDEN, "True").into_response(),
        "redirected" => Redirect::temporary("/yes").into_response(),
        _ => std::future::pending().await,
    }
}
