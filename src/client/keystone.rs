//! Tokens from Keystone v3.

use http::StatusCode;
use serde_json::{Value, json};

use super::credentials::{Keystone, Named, Scope, User};
use super::error::{Error, Result, sentence};
use super::transport::{self, Trust};

/// A token for the account, `POST /v3/auth/tokens`.
pub(super) async fn token(account: &Keystone, trust: &Trust) -> Result<String> {
    let url = token_url(&account.url);
    let refused = |reason: String| Error::NoToken {
        url: account.url.clone(),
        reason,
    };
    let answer = trust
        .client(url.starts_with("https:"))?
        .post(&url)
        .json(&request(account))
        .send()
        .await
        .map_err(|source| refused(reason(&source)))?;
    let status = answer.status();
    if status != StatusCode::CREATED {
        let body = answer.bytes().await.unwrap_or_default();
        return Err(refused(format!("{status}. {}", sentence(&body))));
    }
    answer
        .headers()
        .get("X-Subject-Token")
        .and_then(|token| token.to_str().ok())
        .map(str::to_owned)
        .ok_or_else(|| refused("its answer has no X-Subject-Token".to_owned()))
}

/// `OS_AUTH_URL` stands in openrc files with and without the version, some still with the second.
fn token_url(auth_url: &str) -> String {
    let base = auth_url.trim_end_matches('/');
    let base = ["/v3", "/v2.0"]
        .iter()
        .find_map(|version| base.strip_suffix(version))
        .unwrap_or(base);
    format!("{base}/v3/auth/tokens")
}

fn request(account: &Keystone) -> Value {
    let identity = match &account.user {
        User::Password {
            name,
            domain,
            password,
        } => json!({
            "methods": ["password"],
            "password": {"user": {
                "name": name,
                "domain": named(domain),
                "password": password.reveal(),
            }},
        }),
        User::ApplicationCredential { id, secret } => json!({
            "methods": ["application_credential"],
            "application_credential": {"id": id, "secret": secret.reveal()},
        }),
    };
    let mut auth = json!({ "identity": identity });
    match &account.scope {
        None => {}
        Some(Scope::ProjectId(id)) => auth["scope"] = json!({"project": {"id": id}}),
        Some(Scope::Project { name, domain }) => {
            auth["scope"] = json!({"project": {"name": name, "domain": named(domain)}});
        }
        Some(Scope::System) => auth["scope"] = json!({"system": {"all": true}}),
    }
    json!({ "auth": auth })
}

fn named(domain: &Named) -> Value {
    match domain {
        Named::Id(id) => json!({ "id": id }),
        Named::Name(name) => json!({ "name": name }),
    }
}

/// What helps: what is the matter with a certificate, else the innermost cause ("Connection refused").
fn reason(error: &reqwest::Error) -> String {
    match transport::distrust(error) {
        Some((why, _)) => format!("its certificate is not believed: {why}"),
        None => transport::innermost(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_form_of_the_auth_url_leads_to_version_3() {
        for url in [
            "http://k:5000",
            "http://k:5000/",
            "http://k:5000/v3/",
            "http://k:5000/v2.0",
        ] {
            assert_eq!(token_url(url), "http://k:5000/v3/auth/tokens", "{url}");
        }
        assert_eq!(
            token_url("https://cloud/identity/v3"),
            "https://cloud/identity/v3/auth/tokens"
        );
    }

    #[test]
    fn a_password_is_scoped_to_the_project() {
        let account = Keystone {
            url: String::new(),
            user: User::Password {
                name: "ada".into(),
                domain: Named::Id("default".into()),
                password: String::from("secret").into(),
            },
            scope: Some(Scope::Project {
                name: "engines".into(),
                domain: Named::Name("Default".into()),
            }),
        };
        assert_eq!(
            request(&account),
            json!({"auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {
                        "name": "ada", "domain": {"id": "default"}, "password": "secret",
                    }},
                },
                "scope": {"project": {"name": "engines", "domain": {"name": "Default"}}},
            }})
        );
    }

    #[test]
    fn an_application_credential_brings_its_own_scope() {
        let account = Keystone {
            url: String::new(),
            user: User::ApplicationCredential {
                id: "a1".into(),
                secret: String::from("secret").into(),
            },
            scope: None,
        };
        assert_eq!(
            request(&account),
            json!({"auth": {"identity": {
                "methods": ["application_credential"],
                "application_credential": {"id": "a1", "secret": "secret"},
            }}})
        );
    }
}
