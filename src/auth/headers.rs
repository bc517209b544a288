//! Identity from headers: those that a token check wrote, or a trusted proxy in front.
//!
//! A header of identity that comes twice could be the proxy's and, beside it, the client's own. Nobody can
//! tell which is which, so that such a request is refused.

use http::HeaderMap;

use super::{Error, Result, anonymous};
use crate::domain::Caller;

/// The caller that `headers` tell of, or a reader without identity where those are let in.
///
/// Whether it is an administrator is for the policy to say.
pub fn caller_from_headers(
    headers: &HeaderMap,
    anonymous_allowed: bool,
    request_id: String,
) -> Result<Caller> {
    let given = Given(headers);
    if given.text("x-identity-status")? != Some("Confirmed") {
        return if anonymous_allowed {
            Ok(anonymous::reader(request_id))
        } else {
            Err(Error::Unconfirmed)
        };
    }
    if let Some(catalog) = headers.get("x-service-catalog") {
        serde_json::from_slice::<serde::de::IgnoredAny>(catalog.as_bytes())
            .map_err(|_| Error::InvalidCatalog)?;
    }
    let roles = given.first(&["x-roles", "x-role"])?;
    Ok(Caller {
        user_id: given.owned(&["x-user-id", "x-user"])?,
        project_id: given.owned(&["x-project-id", "x-tenant-id", "x-tenant"])?,
        domain_id: given.owned(&["x-domain-id"])?,
        user_domain_id: given.owned(&["x-user-domain-id"])?,
        project_domain_id: given.owned(&["x-project-domain-id"])?,
        system_scope: given.owned(&["openstack-system-scope"])?,
        roles: list(roles).map(str::to_lowercase).collect(),
        is_admin_project: given
            .text("x-is-admin-project")?
            .is_none_or(|value| value.eq_ignore_ascii_case("true")),
        service_user_id: given.owned(&["x-service-user-id"])?,
        service_user_domain_id: given.owned(&["x-service-user-domain-id"])?,
        service_project_id: given.owned(&["x-service-project-id"])?,
        service_project_domain_id: given.owned(&["x-service-project-domain-id"])?,
        service_roles: list(given.text("x-service-roles")?)
            .map(str::to_owned)
            .collect(),
        is_admin: false,
        read_only: false,
        request_id,
    })
}

/// Every header that tells of an identity, in its newer and older names.
const IDENTITY: [&str; 30] = [
    "x-identity-status",
    "x-service-identity-status",
    "x-service-catalog",
    "x-is-admin-project",
    "openstack-system-scope",
    "x-role",
    "x-roles",
    "x-user",
    "x-user-id",
    "x-user-name",
    "x-user-domain-id",
    "x-user-domain-name",
    "x-tenant",
    "x-tenant-id",
    "x-tenant-name",
    "x-project-id",
    "x-project-name",
    "x-project-domain-id",
    "x-project-domain-name",
    "x-domain-id",
    "x-domain-name",
    "x-service-roles",
    "x-service-user-id",
    "x-service-user-name",
    "x-service-user-domain-id",
    "x-service-project-id",
    "x-service-project-name",
    "x-service-project-domain-id",
    "x-service-domain-id",
    "x-service-domain-name",
];

/// Takes away whatever a client says of its own identity.
pub fn strip(headers: &mut HeaderMap) {
    for name in IDENTITY {
        headers.remove(name);
    }
}

struct Given<'a>(&'a HeaderMap);

impl<'a> Given<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>> {
        let mut values = self.0.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => std::str::from_utf8(value.as_bytes())
                .map(Some)
                .map_err(|_| Error::Ambiguous(name)),
            (Some(_), Some(_)) => Err(Error::Ambiguous(name)),
        }
    }

    /// The first of these that is there, even an empty one.
    fn first(&self, names: &[&'static str]) -> Result<Option<&'a str>> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn owned(&self, names: &[&'static str]) -> Result<Option<String>> {
        Ok(self.first(names)?.map(str::to_owned))
    }
}

fn list(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.filter(|text| !text.is_empty())
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    /// The caller of a request with a confirmed identity and these headers.
    fn confirmed(pairs: &[(&str, &str)]) -> Result<Caller> {
        let pairs = [&[("X-Identity-Status", "Confirmed")], pairs].concat();
        caller_from_headers(&headers(&pairs), false, "req-1".to_owned())
    }

    #[test]
    fn a_confirmed_identity_is_taken_from_its_headers() {
        let caller = confirmed(&[
            ("X-User-Id", "u"),
            ("X-Project-Id", "p"),
            ("X-Roles", "Member, READER"),
            ("X-User-Domain-Id", "ud"),
            ("X-Project-Domain-Id", "pd"),
            ("X-Service-User-Id", "nova"),
            ("X-Service-Roles", "Service"),
        ]);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            caller.unwrap(),
            Caller {
                user_id: text("u"),
                project_id: text("p"),
                user_domain_id: text("ud"),
                project_domain_id: text("pd"),
                roles: vec!["member".to_owned(), "reader".to_owned()],
                service_user_id: text("nova"),
                service_roles: vec!["Service".to_owned()],
                request_id: "req-1".to_owned(),
                ..Caller::default()
            }
        );
    }

    #[test]
    fn the_scope_of_a_token_is_taken_along() {
        let caller = confirmed(&[
            ("OpenStack-System-Scope", "all"),
            ("X-Domain-Id", "d"),
            ("X-Is-Admin-Project", "False"),
        ])
        .unwrap();
        assert!(caller.has_system_scope() && caller.has_domain_scope());
        assert!(!caller.is_admin_project);
    }

    #[test]
    fn the_old_name_of_the_project_counts_where_the_new_one_is_absent() {
        let project = |pairs| confirmed(pairs).unwrap().project_id;
        assert_eq!(project(&[("X-Tenant-Id", "old")]).as_deref(), Some("old"));
        assert_eq!(
            project(&[("X-Tenant-Id", "old"), ("X-Project-Id", "new")]).as_deref(),
            Some("new")
        );
        assert_eq!(project(&[]), None);
    }

    #[test]
    fn no_roles_are_no_roles() {
        assert_eq!(confirmed(&[("X-Roles", "")]).unwrap().roles, [""; 0]);
        assert_eq!(confirmed(&[]).unwrap().roles, [""; 0]);
        assert_eq!(
            confirmed(&[("X-Role", "reader")]).unwrap().roles,
            ["reader"]
        );
    }

    #[test]
    fn nobody_is_let_in_unconfirmed() {
        for status in [None, Some("confirmed"), Some("Invalid"), Some("")] {
            let mut pairs = vec![("X-User-Id", "u"), ("X-Roles", "admin")];
            pairs.extend(status.map(|status| ("X-Identity-Status", status)));
            let headers = headers(&pairs);
            let caller = |anonymous| caller_from_headers(&headers, anonymous, String::new());
            assert_eq!(caller(false), Err(Error::Unconfirmed));
            let anonymous = caller(true).unwrap();
            assert!(anonymous.read_only && !anonymous.is_admin);
            assert_eq!((anonymous.roles.len(), anonymous.user_id), (0, None));
        }
    }

    #[test]
    fn an_identity_that_comes_twice_is_refused() {
        let twice = [("X-Roles", "reader"), ("X-Roles", "admin")];
        assert_eq!(confirmed(&twice), Err(Error::Ambiguous("x-roles")));
        let twice = [("X-Identity-Status", "Invalid")];
        assert_eq!(
            confirmed(&twice),
            Err(Error::Ambiguous("x-identity-status"))
        );
    }

    #[test]
    fn a_service_catalog_must_be_json() {
        assert!(confirmed(&[("X-Service-Catalog", "[]")]).is_ok());
        assert_eq!(
            confirmed(&[("X-Service-Catalog", "not json")]),
            Err(Error::InvalidCatalog)
        );
    }
}
