//! Checks that another server answers: what it is told.

use serde_json::{Value, json};

use super::facts::Facts;
use crate::domain::Caller;

/// All that a server is told who judges whether `caller` may do `action`.
pub(super) fn question(
    action: &str,
    caller: &Caller,
    facts: &dyn Facts,
) -> [(&'static str, Value); 3] {
    [
        ("rule", action.into()),
        ("target", facts.all()),
        ("credentials", credentials(caller)),
    ]
}

/// What rules may know of a caller, by the names that they use.
fn credentials(caller: &Caller) -> Value {
    let mut known = json!({
        "user_id": caller.user_id,
        "user_domain_id": caller.user_domain_id,
        "system_scope": caller.system_scope,
        "domain_id": caller.domain_id,
        "project_id": caller.project_id,
        "project_domain_id": caller.project_domain_id,
        "roles": caller.roles,
        "is_admin_project": caller.is_admin_project,
        "service_user_id": caller.service_user_id,
        "service_user_domain_id": caller.service_user_domain_id,
        "service_project_id": caller.service_project_id,
        "service_project_domain_id": caller.service_project_domain_id,
        "service_roles": caller.service_roles,
    });
    if caller.has_system_scope() {
        known["system"] = caller.system_scope.clone().into();
    }
    known
}
