//! Callers of whom nothing is known.

use crate::domain::Caller;

/// The caller of a pipeline without identity: the administrator, of no project and without a role.
///
/// Rules that ask for roles, as the built-in ones do, deny it all the same.
#[must_use]
pub fn administrator(request_id: String) -> Caller {
    Caller {
        is_admin: true,
        request_id,
        ..Caller::default()
    }
}

/// The caller without identity where `allow_anonymous_access` lets those in: it changes nothing.
pub fn reader(request_id: String) -> Caller {
    Caller {
        read_only: true,
        request_id,
        ..Caller::default()
    }
}
