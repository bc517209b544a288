//! Where the API is and who is asking, from options and variables to credentials.
//!
//! An empty variable counts as none, as shells leave them behind.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Error, Result};
use crate::client::{Address, Credentials, ImageApi, Keystone, Named, Scope, Trust, User};

/// Where the API is, and who is asking.
/// Over the options that say how the API is reached.
pub const HEADING: &str = "Options for the API";

#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub struct Reach {
    /// Address of the API: a name, an IPv4 or IPv6 address, or a URL (https://...).
    #[arg(
        short = 'H',
        long,
        global = true,
        value_name = "ADDRESS",
        default_value = "0.0.0.0"
    )]
    pub host: String,
    /// Port of the API, where the address names none.
    #[arg(
        short,
        long,
        global = true,
        value_name = "PORT",
        default_value_t = 9292
    )]
    pub port: u16,
    /// Believe any certificate.
    #[arg(short = 'k', long, global = true)]
    pub insecure: bool,
    /// Certificate authorities to believe, in PEM.
    #[arg(long, global = true, env = "OS_CACERT", value_name = "FILE")]
    pub os_cacert: Option<PathBuf>,
    /// A token for the API.
    #[arg(
        long, global = true, env = "OS_AUTH_TOKEN", hide_env_values = true, value_name = "TOKEN",
        short_alias = 'A', aliases = ["os_auth_token", "auth_token"]
    )]
    pub os_auth_token: Option<String>,
    /// What other clients call it.
    #[arg(long, global = true, env = "OS_TOKEN", hide = true)]
    pub os_token: Option<String>,
    /// Address of Keystone.
    #[arg(
        long,
        global = true,
        env = "OS_AUTH_URL",
        value_name = "URL",
        short_alias = 'N',
        alias = "os_auth_url"
    )]
    pub os_auth_url: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_USERNAME",
        value_name = "NAME",
        short_alias = 'I',
        alias = "os_username",
        help = "Name of the user"
    )]
    pub os_username: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD",
        short_alias = 'K',
        alias = "os_password",
        help = "Password of the user"
    )]
    pub os_password: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_PROJECT_ID",
        value_name = "ID",
        alias = "os_project_id",
        help = "Project that the token is for, by id"
    )]
    pub os_project_id: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_PROJECT_NAME",
        value_name = "NAME",
        short_alias = 'T',
        alias = "os_project_name",
        help = "Project that the token is for, by name"
    )]
    pub os_project_name: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_USER_DOMAIN_ID",
        value_name = "ID",
        help = "Domain of the user, by id"
    )]
    pub os_user_domain_id: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_USER_DOMAIN_NAME",
        value_name = "NAME",
        help = "Domain of the user, by name"
    )]
    pub os_user_domain_name: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_PROJECT_DOMAIN_ID",
        value_name = "ID",
        help = "Domain of the project, by id"
    )]
    pub os_project_domain_id: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_PROJECT_DOMAIN_NAME",
        value_name = "NAME",
        help = "Domain of the project, by name"
    )]
    pub os_project_domain_name: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_DOMAIN_ID",
        value_name = "ID",
        default_value = "default",
        help = "Domain where no other is named"
    )]
    pub os_domain_id: String,
    /// `all` for a token that is for no project.
    #[arg(long, global = true, env = "OS_SYSTEM_SCOPE", value_name = "SCOPE")]
    pub os_system_scope: Option<String>,
    /// Application credential in place of user and password.
    #[arg(
        long,
        global = true,
        env = "OS_APPLICATION_CREDENTIAL_ID",
        value_name = "ID"
    )]
    pub os_application_credential_id: Option<String>,
    #[arg(
        long,
        global = true,
        env = "OS_APPLICATION_CREDENTIAL_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help = "Secret of the application credential"
    )]
    pub os_application_credential_secret: Option<String>,
    /// Accepted; the address says where the API is.
    #[arg(
        long,
        global = true,
        env = "OS_REGION_NAME",
        value_name = "REGION",
        short_alias = 'R',
        alias = "os_region_name"
    )]
    pub os_region_name: Option<String>,
    /// `keystone` or `noauth`.
    #[arg(
        short = 'S',
        long = "os-auth-strategy",
        global = true,
        env = "OS_AUTH_STRATEGY",
        value_name = "STRATEGY",
        alias = "os_auth_strategy"
    )]
    pub strategy: Option<String>,
}

impl Reach {
    /// The API that the options mean.
    pub fn api(&self) -> Result<ImageApi> {
        let trust = Trust {
            bundle: self
                .os_cacert
                .clone()
                .filter(|path| !path.as_os_str().is_empty()),
            insecure: self.insecure,
            own: None,
        };
        let address = Address::new(&self.host, self.port)?;
        Ok(ImageApi::new(address, self.credentials()?, trust)?)
    }

    /// A token wins over an account. What is not enough for an account is tried as nobody: the API may not
    /// ask, and where it does the answer names what was missing.
    fn credentials(&self) -> Result<Credentials> {
        match given(self.strategy.as_ref()).as_deref() {
            Some("noauth") => return Ok(Credentials::None { missing: vec![] }),
            None | Some("keystone") => {}
            Some(other) => {
                return Err(Error::Options(format!(
                    "{other:?} is no way to authenticate: keystone and noauth are"
                )));
            }
        }
        let token = given(self.os_auth_token.as_ref());
        if let Some(token) = token.or_else(|| given(self.os_token.as_ref())) {
            return Ok(Credentials::token(token));
        }
        match (given(self.os_auth_url.as_ref()), self.user()) {
            (Some(url), Ok(user)) => Ok(Credentials::Keystone(Box::new(Keystone {
                url,
                scope: self.scope(&user),
                user,
            }))),
            (None, Ok(_)) => Ok(Credentials::None {
                missing: vec!["--os-auth-url"],
            }),
            (url, Err(mut missing)) => {
                if url.is_none() {
                    missing.insert(0, "--os-auth-url");
                }
                Ok(Credentials::None { missing })
            }
        }
    }

    fn user(&self) -> std::result::Result<User, Vec<&'static str>> {
        let application = (
            given(self.os_application_credential_id.as_ref()),
            given(self.os_application_credential_secret.as_ref()),
        );
        match application {
            (Some(id), Some(secret)) => {
                return Ok(User::ApplicationCredential {
                    id,
                    secret: secret.into(),
                });
            }
            (Some(_), None) => return Err(vec!["--os-application-credential-secret"]),
            (None, _) => {}
        }
        match (
            given(self.os_username.as_ref()),
            given(self.os_password.as_ref()),
        ) {
            (Some(name), Some(password)) => Ok(User::Password {
                name,
                domain: self.domain(
                    self.os_user_domain_id.as_ref(),
                    self.os_user_domain_name.as_ref(),
                ),
                password: password.into(),
            }),
            (name, password) => {
                let missing = [
                    name.is_none().then_some("--os-username"),
                    password.is_none().then_some("--os-password"),
                ];
                Err(missing.into_iter().flatten().collect())
            }
        }
    }

    fn scope(&self, user: &User) -> Option<Scope> {
        if matches!(user, User::ApplicationCredential { .. }) {
            return None;
        }
        if given(self.os_system_scope.as_ref()).is_some() {
            return Some(Scope::System);
        }
        if let Some(id) = given(self.os_project_id.as_ref()) {
            return Some(Scope::ProjectId(id));
        }
        given(self.os_project_name.as_ref()).map(|name| Scope::Project {
            name,
            domain: self.domain(
                self.os_project_domain_id.as_ref(),
                self.os_project_domain_name.as_ref(),
            ),
        })
    }

    fn domain(&self, id: Option<&String>, name: Option<&String>) -> Named {
        given(id)
            .map(Named::Id)
            .or_else(|| given(name).map(Named::Name))
            .unwrap_or_else(|| Named::Id(self.os_domain_id.clone()))
    }
}

fn given(option: Option<&String>) -> Option<String> {
    option.filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn credentials(options: &[&str]) -> Result<Credentials> {
        let line = [&["glance-cache-manage", "list-cached"], options].concat();
        Options::read(&line).reach.credentials()
    }

    #[test]
    fn nobody_is_enough_to_try_and_what_was_missing_is_remembered() {
        assert_eq!(
            credentials(&["--os-auth-url", "http://k", "--os-username", "ada"]).unwrap(),
            Credentials::None {
                missing: vec!["--os-password"]
            }
        );
    }

    #[test]
    fn an_empty_option_counts_as_none() {
        assert_eq!(
            credentials(&["--os-auth-token", "", "--os-auth-url", ""]).unwrap(),
            Credentials::None {
                missing: vec!["--os-auth-url", "--os-username", "--os-password"]
            }
        );
    }

    #[test]
    fn a_domain_of_the_project_counts_without_one_of_the_user() {
        let line = "--os-auth-url u --os-username a --os-password p --os-project-name j \
                    --os-project-domain-id engines";
        let options: Vec<&str> = line.split_whitespace().collect();
        let Credentials::Keystone(account) = credentials(&options).unwrap() else {
            panic!("an account is complete");
        };
        let expected = Scope::Project {
            name: "j".into(),
            domain: Named::Id("engines".into()),
        };
        assert_eq!(account.scope, Some(expected));
    }

    #[test]
    fn an_unknown_strategy_is_refused() {
        assert!(credentials(&["-S", "magic"]).is_err());
    }
}
