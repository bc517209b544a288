//! Who calls the service, and what comes back.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Cloud;

const PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// Somebody who calls the service.
#[derive(Clone, Copy)]
pub(crate) struct Client<'c> {
    pub(super) cloud: &'c Cloud,
    pub(super) project: &'static str,
    pub(super) roles: &'static str,
}

impl Client<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", Bytes::new()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        self.request(Method::GET, path, headers, Body::empty())
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "", Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, document: &Value) -> Answer {
        let body = document.to_string().into();
        self.send(Method::POST, path, "application/json", body)
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: &'static str) -> Answer {
        let body = Bytes::from_static(body.as_bytes());
        self.send(Method::PUT, path, "application/json", body).await
    }

    /// Calls by any method, with octets where data belongs and a document elsewhere.
    pub(crate) async fn speak(&self, method: &str, path: &str, body: &'static str) -> Answer {
        let method = method.parse().expect("a method");
        let kind = match body {
            "" => "",
            _ if path.ends_with("/file") => "application/octet-stream",
            _ => "application/json",
        };
        let body = Bytes::from_static(body.as_bytes());
        self.send(method, path, kind, body).await
    }

    /// Calls without a body.
    pub(crate) async fn call(&self, method: Method, path: &str) -> Answer {
        self.send(method, path, "", Bytes::new()).await
    }

    pub(crate) async fn patch(&self, path: &str, changes: &Value) -> Answer {
        let body = changes.to_string().into();
        self.send(Method::PATCH, path, PATCH, body).await
    }

    pub(crate) async fn upload(&self, id: &str, data: &'static [u8]) -> Answer {
        let path = format!("/v2/images/{id}/file");
        let body = Bytes::from_static(data);
        self.send(Method::PUT, &path, "application/octet-stream", body)
            .await
    }

    /// Uploads to the store of that name.
    pub(crate) async fn upload_to(&self, store: &str, id: &str, data: &'static [u8]) -> Answer {
        let path = format!("/v2/images/{id}/file");
        let length = data.len().to_string();
        let headers = [
            (CONTENT_TYPE, "application/octet-stream"),
            (CONTENT_LENGTH, length.as_str()),
            (HeaderName::from_static("x-image-meta-store"), store),
        ];
        self.request(Method::PUT, &path, &headers, Body::from(data))
            .await
    }

    /// Uploads or stages data without saying how much it is.
    pub(crate) async fn stream(&self, path: &str, data: &'static [u8]) -> Answer {
        let body = Body::new(http_body_util::Full::from(data).map_err(|never| match never {}));
        let headers = [
            (CONTENT_TYPE, "application/octet-stream"),
            (TRANSFER_ENCODING, "chunked"),
        ];
        self.request(Method::PUT, path, &headers, body).await
    }

    /// Makes an image and says what its id is.
    pub(crate) async fn create(&self, document: &Value) -> String {
        let made = self.post("/v2/images", document).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Makes an image that holds `data`.
    pub(crate) async fn create_with(&self, data: &'static [u8]) -> String {
        let formats = json!({"disk_format": "raw", "container_format": "bare"});
        let id = self.create(&formats).await;
        let uploaded = self.upload(&id, data).await;
        assert_eq!(uploaded.status, StatusCode::NO_CONTENT);
        id
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Answer {
        let length = body.len().to_string();
        let mut headers = vec![(CONTENT_LENGTH, length.as_str())];
        if !kind.is_empty() {
            headers.push((CONTENT_TYPE, kind));
        }
        self.request(method, path, &headers, Body::from(body)).await
    }

    /// Any request.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Accept", "application/json")
            .header("X-Identity-Status", "Confirmed")
            .header("X-User-Id", "user")
            .header("X-Project-Id", self.project)
            .header("X-Roles", self.roles);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(body).expect("a request");
        let router = self.cloud.router.clone();
        let Ok(response) = router.oneshot(request).await;
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The sentence of an error, with the explanation of its status where it has one.
    pub(crate) fn sentence(&self) -> String {
        let message = self.json()["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        let words: Vec<_> = message
            .split("<br /><br />")
            .flat_map(str::split_whitespace)
            .collect();
        words.join(" ")
    }
}
