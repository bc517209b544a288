//! As whom the API is asked.

use std::fmt;

use crate::config::KeystoneConfig;

/// A password or a key: it goes out in requests and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// As whom the API is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody: enough where the API asks for none. `missing` names what would have made it somebody.
    None { missing: Vec<&'static str> },
    /// Whoever the token was made for.
    Token(Hidden),
    /// Whoever Keystone says.
    Keystone(Box<Keystone>),
}

/// An account that Keystone v3 gives tokens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keystone {
    /// With or without `/v3`.
    pub url: String,
    pub user: User,
    /// None for an application credential, which has a scope of its own, and for the user's default project.
    pub scope: Option<Scope>,
}

/// Who proves what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    Password {
        name: String,
        domain: Named,
        password: Hidden,
    },
    ApplicationCredential {
        id: String,
        secret: Hidden,
    },
}

/// What the token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    ProjectId(String),
    Project { name: String, domain: Named },
    System,
}

/// A domain, as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Id(String),
    Name(String),
}

impl Credentials {
    /// A token in hand.
    pub fn token(token: String) -> Self {
        Self::Token(token.into())
    }

    /// The service's own account, as far as it is set.
    pub fn of_service(config: &KeystoneConfig) -> Self {
        let nobody = Self::None {
            missing: vec!["the account in [keystone_authtoken]"],
        };
        let Some(url) = config.auth_url.clone() else {
            return nobody;
        };
        let application = config
            .application_credential_id
            .clone()
            .zip(config.application_credential_secret.clone());
        let account = config.username.clone().zip(config.password.clone());
        let (user, scope) = match (application, account) {
            (Some((id, secret)), _) => {
                let secret = secret.into();
                (User::ApplicationCredential { id, secret }, None)
            }
            (None, Some((name, password))) => {
                let domain = named(
                    config.user_domain_id.as_ref(),
                    config.user_domain_name.as_ref(),
                );
                let password = password.into();
                let user = User::Password {
                    name,
                    domain,
                    password,
                };
                (user, scope_of(config))
            }
            (None, None) => return nobody,
        };
        Self::Keystone(Box::new(Keystone { url, user, scope }))
    }

    pub(super) fn given_token(&self) -> Option<String> {
        match self {
            Self::Token(token) => Some(token.reveal().to_owned()),
            Self::None { .. } | Self::Keystone(_) => None,
        }
    }

    pub(super) fn can_renew(&self) -> bool {
        matches!(self, Self::Keystone(_))
    }

    pub(super) fn missing(&self) -> Vec<&'static str> {
        match self {
            Self::None { missing } => missing.clone(),
            Self::Token(_) | Self::Keystone(_) => Vec::new(),
        }
    }
}

fn scope_of(config: &KeystoneConfig) -> Option<Scope> {
    if let Some(id) = &config.project_id {
        return Some(Scope::ProjectId(id.clone()));
    }
    let name = config.project_name.clone()?;
    let domain = named(
        config.project_domain_id.as_ref(),
        config.project_domain_name.as_ref(),
    );
    Some(Scope::Project { name, domain })
}

fn named(id: Option<&String>, name: Option<&String>) -> Named {
    match (id, name) {
        (Some(id), _) => Named::Id(id.clone()),
        (None, Some(name)) => Named::Name(name.clone()),
        (None, None) => Named::Id("default".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let account = Credentials::Keystone(Box::new(Keystone {
            url: "http://keystone".into(),
            user: User::Password {
                name: "ada".into(),
                domain: Named::Id("default".into()),
                password: Hidden::from("s3cr3t".to_owned()),
            },
            scope: None,
        }));
        let shown = format!("{account:?} {:?}", Credentials::token("t0ken".into()));
        assert!(shown.contains("ada"));
        assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken"));
    }
}
