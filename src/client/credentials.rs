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
    /// A user by its id, which needs no domain.
    PasswordOfId {
        id: String,
        password: Hidden,
    },
    /// A token in hand, for one with another scope.
    Token(Hidden),
    /// An application credential by its name, which only its owner makes unique.
    NamedCredential {
        name: String,
        owner: Owner,
        secret: Hidden,
    },
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

/// Whose an application credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Id(String),
    Name { name: String, domain: Named },
}

/// What the token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    ProjectId(String),
    Project {
        name: String,
        domain: Named,
    },
    System,
    Domain(Named),
    /// Somebody else's rights, lent to this account.
    Trust(String),
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
        let way = config.auth_type.as_deref();
        let user = match way {
            Some("v3applicationcredential") => application(config),
            Some("token" | "v3token") => config.token.clone().map(Hidden).map(User::Token),
            Some("password" | "v3password") => account(config),
            Some(_) => None,
            None => application(config).or_else(|| account(config)),
        };
        let Some(user) = user else {
            return nobody;
        };
        let scope = match user {
            User::ApplicationCredential { .. } | User::NamedCredential { .. } => None,
            User::Password { .. } | User::PasswordOfId { .. } | User::Token(_) => scope_of(config),
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

fn application(config: &KeystoneConfig) -> Option<User> {
    let secret = Hidden(config.application_credential_secret.clone()?);
    if let Some(id) = config.application_credential_id.clone() {
        return Some(User::ApplicationCredential { id, secret });
    }
    let name = config.application_credential_name.clone()?;
    let owner = match (&config.user_id, &config.username) {
        (Some(id), _) => Owner::Id(id.clone()),
        (None, user) => Owner::Name {
            name: user.clone()?,
            domain: user_domain(config),
        },
    };
    Some(User::NamedCredential {
        name,
        owner,
        secret,
    })
}

fn account(config: &KeystoneConfig) -> Option<User> {
    let password = Hidden(config.password.clone()?);
    if let Some(id) = config.user_id.clone() {
        return Some(User::PasswordOfId { id, password });
    }
    Some(User::Password {
        name: config.username.clone()?,
        domain: user_domain(config),
        password,
    })
}

fn user_domain(config: &KeystoneConfig) -> Named {
    named(
        config.user_domain_id.as_ref(),
        config.user_domain_name.as_ref(),
    )
}

fn scope_of(config: &KeystoneConfig) -> Option<Scope> {
    if let Some(id) = &config.trust_id {
        return Some(Scope::Trust(id.clone()));
    }
    if config.system_scope.as_deref() == Some("all") {
        return Some(Scope::System);
    }
    if config.domain_id.is_some() || config.domain_name.is_some() {
        let domain = named(config.domain_id.as_ref(), config.domain_name.as_ref());
        return Some(Scope::Domain(domain));
    }
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
