//! Who is asking.

use http::HeaderMap;

use crate::domain::Caller;

/// The caller that a trusted proxy names, or an anonymous one where those are let in.
pub fn caller_from_headers(
    headers: &HeaderMap,
    anonymous_allowed: bool,
    request_id: String,
) -> Option<Caller> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    if text("x-identity-status").as_deref() == Some("Confirmed") {
        let roles = text("x-roles").unwrap_or_default().to_lowercase();
        return Some(Caller {
            user_id: text("x-user-id"),
            project_id: text("x-project-id"),
            roles: roles
                .split(',')
                .map(|role| role.trim().to_owned())
                .collect(),
            request_id,
            ..Caller::default()
        });
    }
    anonymous_allowed.then(|| Caller {
        read_only: true,
        request_id,
        ..Caller::default()
    })
}

/// The administrator that everybody is where nobody is asked.
pub fn administrator(request_id: String) -> Caller {
    Caller {
        is_admin: true,
        request_id,
        ..Caller::default()
    }
}
