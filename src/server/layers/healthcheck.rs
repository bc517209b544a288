//! `/healthcheck`: whether this node wants work. A file that an operator puts somewhere, or takes away,
//! says no; so does a node that is about to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::accept;
use super::proxy_headers::Peer;
use crate::config::paste::HealthcheckConfig;

/// What the layer goes by.
#[derive(Debug)]
pub struct Healthcheck {
    pub config: HealthcheckConfig,
    /// Cancelled when the node begins to end.
    pub draining: CancellationToken,
}

/// The layer: answers for its path and all below it, whatever the method and without an identity.
pub async fn layer(
    State(healthcheck): State<Arc<Healthcheck>>,
    request: Request,
    next: Next,
) -> Response {
    let below = request.uri().path().strip_prefix("/healthcheck");
    if !below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return next.run(request).await;
    }
    let port = request
        .extensions()
        .get::<Peer>()
        .map(|peer| peer.local.port());
    let results = healthcheck.ask(port).await;
    let healthy = results.iter().all(|result| result.available);
    let status = match healthy {
        true if request.method() == Method::HEAD => StatusCode::NO_CONTENT,
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let offers = ["text/plain", "text/html", "application/json"];
    let (kind, body) = match accept::preferred(request.headers(), &offers) {
        _ if request.method() == Method::HEAD => ("text/plain; charset=UTF-8", String::new()),
        Some("text/html") => ("text/html; charset=UTF-8", healthcheck.html(&results)),
        Some("application/json") => ("application/json", healthcheck.json(&results)),
        _ => ("text/plain; charset=UTF-8", plain(&results)),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

/// What one check found.
#[derive(Debug)]
struct Outcome {
    available: bool,
    reason: &'static str,
    details: String,
    /// What the original calls it.
    class: &'static str,
}

impl Healthcheck {
    async fn ask(&self, port: Option<u16>) -> Vec<Outcome> {
        if self.draining.is_cancelled() {
            return vec![Outcome {
                available: false,
                reason: "SHUTTING DOWN",
                details: "The service ends when the last request is done".to_owned(),
                class: "HealthcheckResult",
            }];
        }
        let mut results = Vec::new();
        if let Some(path) = &self.config.disable_by_file {
            results.push(disabled_by(path).await);
        }
        for (at, path) in &self.config.disable_by_file_ports {
            if port == Some(*at) {
                results.push(disabled_by(path).await);
            }
        }
        if !self.config.enable_by_files.is_empty() {
            results.push(enabled_by(&self.config.enable_by_files).await);
        }
        if results.is_empty() {
            results.push(ok("Nothing is checked".to_owned()));
        }
        results
    }

    fn json(&self, results: &[Outcome]) -> String {
        let reasons: Vec<Value> = results
            .iter()
            .map(|result| {
                if self.config.detailed {
                    json!({
                        "class": result.class,
                        "details": result.details,
                        "reason": result.reason,
                    })
                } else {
                    Value::from(result.reason)
                }
            })
            .collect();
        json!({"detailed": self.config.detailed, "reasons": reasons}).to_string()
    }

    fn html(&self, results: &[Outcome]) -> String {
        let detailed = self.config.detailed;
        let heads = if detailed {
            "<TH>\nKind\n</TH>\n<TH>\nReason\n</TH>\n<TH>\nDetails\n</TH>"
        } else {
            "<TH>\nReason\n</TH>"
        };
        let rows: String = results
            .iter()
            .map(|result| {
                if detailed {
                    let details = result.details.replace('&', "&amp;").replace('<', "&lt;");
                    format!(
                        "<TR>\n<TD>{}</TD>\n    <TD>{}</TD>\n<TD>{details}</TD>\n</TR>\n",
                        result.class, result.reason,
                    )
                } else {
                    format!("<TR>\n\n    <TD>{}</TD>\n\n</TR>\n", result.reason)
                }
            })
            .collect();
        format!(
            "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n\
             <H2>Result of {} checks:</H2>\n<TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n\n\
             {heads}\n</TR>\n{rows}</TBODY>\n</TABLE>\n<HR></HR>\n\n</BODY>\n</HTML>",
            results.len(),
        )
    }
}

fn plain(results: &[Outcome]) -> String {
    let reasons: Vec<&str> = results.iter().map(|result| result.reason).collect();
    reasons.join("\n")
}

fn ok(details: String) -> Outcome {
    Outcome {
        available: true,
        reason: "OK",
        details,
        class: "HealthcheckResult",
    }
}

async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

async fn disabled_by(path: &Path) -> Outcome {
    if exists(path).await {
        return Outcome {
            available: false,
            reason: "DISABLED BY FILE",
            details: format!("Path '{}' was found", path.display()),
            class: "HealthcheckResult",
        };
    }
    ok(format!("Path '{}' was not found", path.display()))
}

async fn enabled_by(paths: &[PathBuf]) -> Outcome {
    for path in paths {
        if !exists(path).await {
            return Outcome {
                available: false,
                reason: "FILE PATH MISSING",
                details: format!("File path {} is missing", path.display()),
                class: "HealthcheckResult",
            };
        }
    }
    ok("Specified file paths are available".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn ask(
        config: HealthcheckConfig,
        draining: &CancellationToken,
        method: Method,
        path: &str,
        accept: &str,
    ) -> (StatusCode, String) {
        let healthcheck = Arc::new(Healthcheck {
            config,
            draining: draining.clone(),
        });
        let router = Router::new()
            .fallback(|| async { "another" })
            .layer(from_fn_with_state(healthcheck, layer));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(config: HealthcheckConfig, accept: &str) -> (StatusCode, String) {
        let token = CancellationToken::new();
        ask(config, &token, Method::GET, "/healthcheck", accept).await
    }

    #[tokio::test]
    async fn a_node_without_objections_is_ok_at_its_path_and_below() {
        let token = CancellationToken::new();
        for path in ["/healthcheck", "/healthcheck/", "/healthcheck/deeper"] {
            let config = HealthcheckConfig::default();
            let answer = ask(config, &token, Method::PUT, path, "*/*").await;
            assert_eq!(answer, (StatusCode::OK, "OK".to_owned()), "{path}");
        }
        let config = HealthcheckConfig::default();
        let answer = ask(config, &token, Method::GET, "/healthchecks", "*/*").await;
        assert_eq!(answer.1, "another");
    }

    #[tokio::test]
    async fn head_says_204() {
        let token = CancellationToken::new();
        let config = HealthcheckConfig::default();
        let answer = ask(config, &token, Method::HEAD, "/healthcheck", "*/*").await;
        assert_eq!(answer, (StatusCode::NO_CONTENT, String::new()));
    }

    #[tokio::test]
    async fn a_file_disables_and_another_one_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mark");
        let disable = HealthcheckConfig {
            disable_by_file: Some(file.clone()),
            ..HealthcheckConfig::default()
        };
        let enable = HealthcheckConfig {
            enable_by_files: vec![file.clone()],
            ..HealthcheckConfig::default()
        };
        assert_eq!(get(disable.clone(), "*/*").await.0, StatusCode::OK);
        assert_eq!(get(enable.clone(), "*/*").await.1, "FILE PATH MISSING");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            get(disable, "*/*").await,
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "DISABLED BY FILE".to_owned()
            )
        );
        assert_eq!(get(enable, "*/*").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_draining_node_wants_no_work() {
        let token = CancellationToken::new();
        token.cancel();
        let config = HealthcheckConfig::default();
        let answer = ask(config, &token, Method::GET, "/healthcheck", "*/*").await;
        assert_eq!(answer.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn the_answer_comes_as_json_and_html_too() {
        let config = HealthcheckConfig::default();
        let json: Value =
            serde_json::from_str(&get(config.clone(), "application/json").await.1).unwrap();
        assert_eq!(json, json!({"detailed": false, "reasons": ["OK"]}));
        assert_eq!(
            get(config, "text/html").await.1,
            "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n<H2>Result of 1 checks:</H2>\n\
             <TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n\n<TH>\nReason\n</TH>\n</TR>\n<TR>\n\n    \
             <TD>OK</TD>\n\n</TR>\n</TBODY>\n</TABLE>\n<HR></HR>\n\n</BODY>\n</HTML>"
        );
    }
}
