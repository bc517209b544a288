//! What the Keystone on loopback says of limits.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

/// The id of the image service's endpoint.
pub(crate) const ENDPOINT: &str = "e0e0";
const SERVICE: &str = "5e5e";
const REGION: &str = "RegionOne";

/// Limits, and the projects that share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limited {
    pub(crate) registered: BTreeMap<&'static str, i64>,
    /// By project and resource.
    pub(crate) own: BTreeMap<(&'static str, &'static str), i64>,
    /// Projects by their parents, where the model is not the flat one.
    pub(crate) children: Option<BTreeMap<&'static str, Vec<&'static str>>>,
}

impl Limited {
    /// As many of everything as nobody will have.
    pub(crate) fn amply() -> Self {
        let names = [
            "image_size_total",
            "image_stage_total",
            "image_count_total",
            "image_count_uploading",
        ];
        Self {
            registered: names.map(|name| (name, 1000)).into(),
            ..Self::default()
        }
    }

    pub(crate) fn answer(&self, uri: &Uri) -> Response {
        let query = uri.query().unwrap_or_default();
        let asks = |name: &str, value: &str| query.contains(&format!("{name}={value}"));
        let ours = asks("service_id", SERVICE) && asks("region_id", REGION);
        let endpoint = json!({"id": ENDPOINT, "service_id": SERVICE, "region_id": REGION});
        let path = uri.path().strip_prefix("/v3").unwrap_or_default();
        let body = match path {
            "/limits/model" if self.children.is_some() => {
                json!({"model": {"name": "strict_two_level", "description": ""}})
            }
            "/limits/model" => json!({"model": {"name": "flat", "description": ""}}),
            "/endpoints/e0e0" => json!({ "endpoint": endpoint }),
            "/services" if asks("type", "image") => json!({"services": [{"id": SERVICE}]}),
            "/endpoints" if ours && asks("interface", "public") => {
                json!({"endpoints": [endpoint]})
            }
            "/registered_limits" if ours => {
                let limits = self.registered.iter();
                let limits: Value = limits
                    .map(|(name, limit)| json!({"resource_name": name, "default_limit": limit}))
                    .collect();
                json!({ "registered_limits": limits })
            }
            "/limits" if ours => {
                let limits = self.own.iter();
                let limits: Value = limits
                    .filter(|((project, _), _)| asks("project_id", project))
                    .map(|((_, name), limit)| json!({"resource_name": name, "resource_limit": limit}))
                    .collect();
                json!({ "limits": limits })
            }
            "/projects" => {
                let families = self.children.iter().flatten();
                let children = families.filter(|(parent, _)| asks("parent_id", parent));
                let children: Value = children
                    .flat_map(|(_, children)| children)
                    .map(|child| json!({ "id": child }))
                    .collect();
                json!({ "projects": children })
            }
            project if project.starts_with("/projects/") => {
                let id = project.trim_start_matches("/projects/");
                let mut families = self.children.iter().flatten();
                let parent = families.find(|(_, children)| children.contains(&id));
                let parent = parent.map_or("default", |(parent, _)| parent);
                json!({"project": {"id": id, "domain_id": "default", "parent_id": parent}})
            }
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        body.to_string().into_response()
    }
}
