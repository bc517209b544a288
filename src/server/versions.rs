//! The versions of the API that this node offers, and the document that lists them.
//!
//! Which minor versions there are depends on the configuration. What the list shows and what a path may
//! name differ in places (2.14 is listed where there is a cache, and so on); both are as the original has
//! them, for clients compare the list with what they know.

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// What the list of versions depends on.
#[derive(Debug, Clone)]
pub struct Versions {
    /// There is a cache: 2.14, 2.16 and 2.18.
    pub cache: bool,
    /// There are several stores: 2.8 and 2.10 to 2.13.
    pub stores: bool,
    /// Where the list says that the service is; none is where the request found it.
    pub endpoint: Option<String>,
}

impl Versions {
    /// Whether a path or a media type may name this version: `v2`, `v2.9`.
    pub fn allows(&self, name: &str) -> bool {
        match name.strip_prefix("v2") {
            Some("") => true,
            Some(minor) => match minor.strip_prefix('.') {
                Some("0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "9" | "15" | "17") => true,
                Some("8" | "10" | "11" | "12" | "13") => self.stores,
                Some("14" | "16" | "18") => self.cache,
                _ => false,
            },
            None => false,
        }
    }

    /// The document: 200 for who asks for `/versions`, 300 for who has a choice to make.
    pub fn answer(&self, status: StatusCode, base_url: &str) -> Response {
        let mut response = Response::new(Body::from(self.document(base_url).to_string()));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn document(&self, base_url: &str) -> Value {
        let base = self.endpoint.as_deref().unwrap_or(base_url);
        let href = format!("{}/v2/", base.trim_end_matches('/'));
        let current = if self.cache { "18" } else { "17" };
        let versions: Vec<Value> = self
            .listed()
            .map(|minor| {
                json!({
                    "id": format!("v2.{minor}"),
                    "status": if minor == current { "CURRENT" } else { "SUPPORTED" },
                    "links": [{"rel": "self", "href": href}],
                })
            })
            .collect();
        json!({ "versions": versions })
    }

    /// The minor versions in the order of the list, which is not quite that of the numbers.
    fn listed(&self) -> impl Iterator<Item = &'static str> {
        let (first, third): (&[_], &[_]) = if self.cache {
            (&["18", "17", "16", "15", "14"], &[])
        } else {
            (&["15"], &["17"])
        };
        let second: &[_] = if self.stores {
            &["13", "12", "11", "10", "9", "8"]
        } else {
            &["9"]
        };
        let rest: &[_] = &["7", "6", "5", "4", "3", "2", "1", "0"];
        [first, second, third, rest].into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(cache: bool, stores: bool) -> Vec<String> {
        let versions = Versions {
            cache,
            stores,
            endpoint: None,
        };
        let document = versions.document("http://here");
        let list = document["versions"].as_array().unwrap();
        list.iter()
            .map(|version| {
                let mark = if version["status"] == "CURRENT" {
                    "*"
                } else {
                    ""
                };
                format!("{}{mark}", version["id"].as_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn the_list_depends_on_the_configuration() {
        assert_eq!(
            ids(false, false).join(" "),
            "v2.15 v2.9 v2.17* v2.7 v2.6 v2.5 v2.4 v2.3 v2.2 v2.1 v2.0"
        );
        assert_eq!(
            ids(true, true).join(" "),
            "v2.18* v2.17 v2.16 v2.15 v2.14 v2.13 v2.12 v2.11 v2.10 v2.9 v2.8 v2.7 v2.6 v2.5 v2.4 v2.3 \
             v2.2 v2.1 v2.0"
        );
    }

    #[test]
    fn a_version_can_be_named_where_the_configuration_offers_it() {
        let versions = Versions {
            cache: true,
            stores: false,
            endpoint: None,
        };
        for name in ["v2", "v2.0", "v2.9", "v2.14", "v2.18"] {
            assert!(versions.allows(name), "{name}");
        }
        for name in ["", "v1", "v2.", "v2.8", "v2.19", "V2", "v20", "v3"] {
            assert!(!versions.allows(name), "{name}");
        }
    }

    #[test]
    fn the_public_endpoint_goes_before_the_address_of_the_request() {
        let versions = Versions {
            cache: false,
            stores: false,
            endpoint: Some("https://images.example/image/".to_owned()),
        };
        assert_eq!(
            versions.document("http://here")["versions"][0]["links"][0]["href"],
            "https://images.example/image/v2/"
        );
    }
}
