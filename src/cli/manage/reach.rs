//! From options to credentials: an empty variable counts as none, as shells leave them behind.

use super::options::Reach;
use crate::cli::{Error, Result};
use crate::client::{Address, Credentials, ImageApi, Keystone, Named, Scope, Trust, User};

impl Reach {
    /// The API that the options mean.
    pub fn api(&self) -> Result<ImageApi> {
        let trust = Trust {
            bundle: self
                .os_cacert
                .clone()
                .filter(|path| !path.as_os_str().is_empty()),
            insecure: self.insecure,
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
