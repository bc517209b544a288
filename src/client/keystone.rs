//! Tokens from Keystone v3.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::credentials::{Hidden, Keystone, Named, Owner, Scope, User};
use super::error::{Error, Result, sentence};
use super::transport::{self, Trust};

/// A token, and what Keystone says of it: until when it lives, where services are.
pub(super) struct Issued {
    pub token: Hidden,
    pub body: Vec<u8>,
}

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody answered.
    Away(reqwest::Error),
    /// Somebody did, and said no.
    Refused(StatusCode, String),
    /// Somebody did, but not as Keystone.
    Nonsense(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(error) => f.write_str(&reason(error)),
            Self::Refused(status, sentence) => write!(f, "{status}. {sentence}"),
            Self::Nonsense(what) => f.write_str(what),
        }
    }
}

/// A token for the account.
pub(super) async fn token(account: &Keystone, trust: &Trust) -> Result<String> {
    let http = trust.client(account.url.starts_with("https:"))?;
    let issued = issue(&http, account, Duration::from_mins(2)).await;
    match issued {
        Ok(issued) => Ok(issued.token.reveal().to_owned()),
        Err(failure) => Err(Error::NoToken {
            url: account.url.clone(),
            reason: failure.to_string(),
        }),
    }
}

/// `POST /v3/auth/tokens`
pub(super) async fn issue(
    http: &reqwest::Client,
    account: &Keystone,
    patience: Duration,
) -> std::result::Result<Issued, Failure> {
    let answer = http
        .post(format!("{}/auth/tokens", version_3(&account.url)))
        .timeout(patience)
        .json(&request(account))
        .send()
        .await
        .map_err(Failure::Away)?;
    let status = answer.status();
    let token = answer
        .headers()
        .get("X-Subject-Token")
        .and_then(|token| token.to_str().ok())
        .map(|token| Hidden::from(token.to_owned()));
    let body = transport::body(answer).await.map_err(Failure::Away)?;
    let body = body.ok_or(Failure::Nonsense("its answer does not end"))?;
    if status != StatusCode::CREATED {
        return Err(Failure::Refused(status, sentence(&body)));
    }
    let token = token.ok_or(Failure::Nonsense("its answer has no X-Subject-Token"))?;
    Ok(Issued { token, body })
}

/// `OS_AUTH_URL` stands in openrc files with and without the version, some still with the second.
pub(super) fn version_3(auth_url: &str) -> String {
    let base = auth_url.trim_end_matches('/');
    let base = ["/v3", "/v2.0"]
        .iter()
        .find_map(|version| base.strip_suffix(version))
        .unwrap_or(base);
    format!("{base}/v3")
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
        User::PasswordOfId { id, password } => json!({
            "methods": ["password"],
            "password": {"user": {"id": id, "password": password.reveal()}},
        }),
        User::Token(token) => json!({"methods": ["token"], "token": {"id": token.reveal()}}),
        User::ApplicationCredential { id, secret } => json!({
            "methods": ["application_credential"],
            "application_credential": {"id": id, "secret": secret.reveal()},
        }),
        User::NamedCredential {
            name,
            owner,
            secret,
        } => {
            let user = match owner {
                Owner::Id(id) => json!({ "id": id }),
                Owner::Name { name, domain } => json!({"name": name, "domain": named(domain)}),
            };
            json!({
                "methods": ["application_credential"],
                "application_credential": {"name": name, "user": user, "secret": secret.reveal()},
            })
        }
    };
    let mut auth = json!({ "identity": identity });
    match &account.scope {
        None => {}
        Some(Scope::ProjectId(id)) => auth["scope"] = json!({"project": {"id": id}}),
        Some(Scope::Project { name, domain }) => {
            auth["scope"] = json!({"project": {"name": name, "domain": named(domain)}});
        }
        Some(Scope::Domain(domain)) => auth["scope"] = json!({ "domain": named(domain) }),
        Some(Scope::Trust(id)) => auth["scope"] = json!({"OS-TRUST:trust": {"id": id}}),
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
pub(super) fn reason(error: &reqwest::Error) -> String {
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
            assert_eq!(version_3(url), "http://k:5000/v3", "{url}");
        }
        assert_eq!(
            version_3("https://cloud/identity/v3"),
            "https://cloud/identity/v3"
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
