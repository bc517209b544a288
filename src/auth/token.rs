//! What Keystone says of a token.

use chrono::{DateTime, Utc};
use regex::Regex;
use serde::Deserialize;

use crate::domain::{Caller, isotime};

/// A token that Keystone knows: whose it is, for what, and until when.
#[derive(Debug)]
pub struct Identity {
    said: Said,
    pub(super) expires_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Document {
    token: Said,
}

#[derive(Debug, Deserialize)]
struct Said {
    expires_at: String,
    user: User,
    #[serde(default)]
    roles: Vec<Named>,
    project: Option<Owned>,
    domain: Option<Id>,
    system: Option<System>,
    is_admin_project: Option<bool>,
    application_credential: Option<Credential>,
    #[serde(default)]
    catalog: Vec<Service>,
    #[serde(default)]
    bind: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    domain: Id,
}

#[derive(Debug, Deserialize)]
struct Owned {
    id: String,
    domain: Id,
}

/// Some domains are nobody's: a federated user has none with an id.
#[derive(Debug, Deserialize)]
struct Id {
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Deserialize)]
struct Credential {
    access_rules: Option<Vec<Rule>>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    method: String,
    path: String,
    service: String,
}

#[derive(Debug, Deserialize)]
struct Service {
    r#type: String,
}

impl Identity {
    /// Reads the answer to `GET /v3/auth/tokens`; none where it is no such answer.
    pub fn read(body: &[u8]) -> Option<Self> {
        let Document { token: said } = serde_json::from_slice(body).ok()?;
        let expires_at = isotime::parse(&said.expires_at)?;
        Some(Self { said, expires_at })
    }

    /// Whether the token has any of these roles.
    pub fn has_any(&self, roles: &[String]) -> bool {
        self.said
            .roles
            .iter()
            .any(|role| roles.contains(&role.name))
    }

    /// The caller that the token stands for.
    pub fn caller(&self, request_id: String) -> Caller {
        let said = &self.said;
        let project = said.project.as_ref();
        Caller {
            user_id: Some(said.user.id.clone()),
            user_domain_id: said.user.domain.id.clone(),
            project_id: project.map(|project| project.id.clone()),
            project_domain_id: project.and_then(|project| project.domain.id.clone()),
            domain_id: said.domain.as_ref().and_then(|domain| domain.id.clone()),
            system_scope: (said.system.as_ref())
                .filter(|system| system.all)
                .map(|_| "all".to_owned()),
            roles: (said.roles.iter())
                .map(|role| role.name.to_lowercase())
                .collect(),
            is_admin_project: said.is_admin_project.unwrap_or(true),
            request_id,
            ..Caller::default()
        }
    }

    /// Names the token's owner as the service that passes a request on.
    pub fn vouch_for(&self, caller: &mut Caller) {
        let said = &self.said;
        let project = said.project.as_ref();
        caller.service_user_id = Some(said.user.id.clone());
        caller
            .service_user_domain_id
            .clone_from(&said.user.domain.id);
        caller.service_project_id = project.map(|project| project.id.clone());
        caller.service_project_domain_id = project.and_then(|project| project.domain.id.clone());
        caller.service_roles = said.roles.iter().map(|role| role.name.clone()).collect();
    }

    /// Whether `enforce_token_bind` lets the token be used. There is no Kerberos here, so what is bound to
    /// it never is.
    pub fn is_unbound(&self, mode: &str) -> bool {
        let bind = &self.said.bind;
        match mode {
            "disabled" => true,
            "permissive" => !bind.contains_key("kerberos"),
            "strict" => bind.is_empty(),
            _ => false,
        }
    }

    /// Whether the access rules of an application credential, where it has some, let this request pass.
    pub fn allows(
        &self,
        service_type: Option<&str>,
        via_service: bool,
        method: &str,
        path: &str,
    ) -> bool {
        let credential = self.said.application_credential.as_ref();
        let Some(rules) = credential.and_then(|credential| credential.access_rules.as_ref()) else {
            return true;
        };
        let Some(own) = service_type else {
            tracing::warn!(
                "a token with access rules is refused: [keystone_authtoken] service_type says not what \
                 they call this service"
            );
            return false;
        };
        if !self
            .said
            .catalog
            .iter()
            .any(|service| service.r#type == own)
        {
            return false;
        }
        // In a chain of services the caller never asked for this request itself.
        via_service
            || rules.iter().any(|rule| {
                rule.service == own && rule.method == method && matches(&rule.path, path)
            })
    }
}

/// `*` and `{name}` are one part of a path, `**` is any number of them.
fn matches(pattern: &str, path: &str) -> bool {
    let mut regex = String::from(r"\A");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let end = rest.find('}').map(|end| end + 1);
        rest = match (first, end) {
            ('*', _) if rest.starts_with("**") => {
                regex.push_str(".*");
                &rest[2..]
            }
            ('*', _) => {
                regex.push_str("[^/]+");
                &rest[1..]
            }
            ('{', Some(end)) => {
                regex.push_str("[^/]+");
                &rest[end..]
            }
            _ => {
                regex.push_str(&regex::escape(&first.to_string()));
                &rest[first.len_utf8()..]
            }
        };
    }
    regex.push_str(r"\z");
    Regex::new(&regex).is_ok_and(|regex| regex.is_match(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(more: &serde_json::Value) -> Identity {
        let mut token = json!({
            "expires_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "ada", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "1", "name": "Member"}, {"id": "2", "name": "reader"}],
        });
        let fields = token.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        Identity::read(json!({ "token": token }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_project_a_domain_and_the_system_are_told_apart() {
        let project =
            token(&json!({"project": {"id": "p", "domain": {"id": "d"}}})).caller(String::new());
        assert_eq!(project.project_id.as_deref(), Some("p"));
        assert_eq!(project.project_domain_id.as_deref(), Some("d"));
        assert_eq!(project.roles, ["member", "reader"]);
        assert!(!project.has_domain_scope() && !project.has_system_scope());
        let domain = token(&json!({"domain": {"id": "d"}})).caller(String::new());
        assert!(domain.has_domain_scope() && domain.project_id.is_none());
        assert!(
            token(&json!({"system": {"all": true}}))
                .caller(String::new())
                .has_system_scope()
        );
    }

    #[test]
    fn what_is_no_description_of_a_token_is_none() {
        for body in ["", "null", "[]", "{}", r#"{"token": {}}"#, "<html>"] {
            assert!(Identity::read(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn access_rules_confine_an_application_credential() {
        let rules = json!([{"service": "image", "method": "GET", "path": "/v2/images/{id}"}]);
        let token = token(&json!({
            "application_credential": {"id": "a", "access_rules": rules},
            "catalog": [{"type": "image"}],
        }));
        let allows = |own, via, method, path| token.allows(own, via, method, path);
        assert!(allows(Some("image"), false, "GET", "/v2/images/1"));
        assert!(!allows(Some("image"), false, "GET", "/v2/images/1/file"));
        assert!(!allows(Some("image"), false, "DELETE", "/v2/images/1"));
        assert!(allows(Some("image"), true, "DELETE", "/v2/images/1"));
        assert!(!allows(Some("volume"), true, "GET", "/v2/images/1"));
        assert!(!allows(None, false, "GET", "/v2/images/1"));
    }

    #[test]
    fn stars_are_one_part_of_a_path_or_many() {
        assert!(matches("/v2/**", "/v2/images/1"));
        assert!(matches("/v2/*/1", "/v2/images/1"));
        assert!(!matches("/v2/*", "/v2/images/1"));
        assert!(!matches("/v2.images", "/v2/images"));
    }

    #[test]
    fn a_bound_token_is_refused_as_the_option_says() {
        let free = token(&json!({}));
        let bound = token(&json!({"bind": {"kerberos": "ada"}}));
        assert!(free.is_unbound("permissive") && free.is_unbound("strict"));
        assert!(!free.is_unbound("required"));
        assert!(!bound.is_unbound("permissive") && bound.is_unbound("disabled"));
    }
}
