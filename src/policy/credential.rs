//! What rules may know of a caller.

use super::facts::{optional, python};
use super::rule::NoAnswer;
use crate::domain::Caller;

/// Every name that the left side of a check may have.
pub(super) const NAMES: [&str; 14] = [
    "user_id",
    "user_domain_id",
    "system_scope",
    "system",
    "domain_id",
    "project_id",
    "project_domain_id",
    "roles",
    "is_admin_project",
    "service_user_id",
    "service_user_domain_id",
    "service_project_id",
    "service_project_domain_id",
    "service_roles",
];

enum Credential<'a> {
    Text(Option<&'a str>),
    Flag(bool),
    List(&'a [String]),
}

/// Whether the credential at `path` is `expected`, or one of its values where it has several.
///
/// A path that goes on where there is nothing inside has no answer. A name that no caller has is met by
/// nothing.
pub(super) fn is(caller: &Caller, path: &[String], expected: &str) -> Result<bool, NoAnswer> {
    let Some((name, inside)) = path.split_first() else {
        return Err(NoAnswer);
    };
    match find(caller, name) {
        None | Some(Credential::List([])) => Ok(false),
        Some(_) if !inside.is_empty() => Err(NoAnswer),
        Some(Credential::Text(text)) => Ok(optional(text) == expected),
        Some(Credential::Flag(flag)) => Ok(python(flag) == expected),
        Some(Credential::List(values)) => Ok(values.iter().any(|value| value == expected)),
    }
}

fn find<'a>(caller: &'a Caller, name: &str) -> Option<Credential<'a>> {
    let text = |text: &'a Option<String>| Some(Credential::Text(text.as_deref()));
    match name {
        "user_id" => text(&caller.user_id),
        "user_domain_id" => text(&caller.user_domain_id),
        "system_scope" => text(&caller.system_scope),
        // There only for a token of the system.
        "system" => caller
            .has_system_scope()
            .then_some(())
            .and_then(|()| text(&caller.system_scope)),
        "domain_id" => text(&caller.domain_id),
        "project_id" => text(&caller.project_id),
        "project_domain_id" => text(&caller.project_domain_id),
        "roles" => Some(Credential::List(&caller.roles)),
        "is_admin_project" => Some(Credential::Flag(caller.is_admin_project)),
        "service_user_id" => text(&caller.service_user_id),
        "service_user_domain_id" => text(&caller.service_user_domain_id),
        "service_project_id" => text(&caller.service_project_id),
        "service_project_domain_id" => text(&caller.service_project_domain_id),
        "service_roles" => Some(Credential::List(&caller.service_roles)),
        _ => None,
    }
}
