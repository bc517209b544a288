//! Callers of whom nothing is known.

use super::request_id;
use crate::domain::Caller;

/// The caller of a pipeline without identity: the administrator, of no project and without a role.
///
/// Rules that ask for roles, as the built-in ones do, deny it all the same.
#[must_use]
pub fn administrator() -> Caller {
    Caller {
        is_admin: true,
        request_id: request_id::generate(),
        ..Caller::default()
    }
}

/// The caller without identity where `allow_anonymous_access` lets those in: it changes nothing.
#[must_use]
pub fn reader() -> Caller {
    Caller {
        read_only: true,
        request_id: request_id::generate(),
        ..Caller::default()
    }
}
