//! Who is asking.

use http::HeaderMap;

use crate::domain::Caller;

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the identity is not confirmed")]
    Unconfirmed,
    #[error("header {0} comes twice, or is no text")]
    Ambiguous(&'static str),
    #[error("Invalid service catalog json.")]
    InvalidCatalog,
}

pub type Result<T> = std::result::Result<T, Error>;

/// The caller that a trusted proxy names, or an anonymous one where those are let in.
pub fn caller_from_headers(
    headers: &HeaderMap,
    anonymous_allowed: bool,
    request_id: String,
) -> Result<Caller> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let caller = Caller {
        request_id,
        ..Caller::default()
    };
    if text("x-identity-status").as_deref() != Some("Confirmed") {
        return match anonymous_allowed {
            true => Ok(Caller {
                read_only: true,
                ..caller
            }),
            false => Err(Error::Unconfirmed),
        };
    }
    if headers.get_all("x-user-id").iter().count() > 1 {
        return Err(Error::Ambiguous("x-user-id"));
    }
    if let Some(catalog) = headers.get("x-service-catalog") {
        serde_json::from_slice::<serde::de::IgnoredAny>(catalog.as_bytes())
            .map_err(|_| Error::InvalidCatalog)?;
    }
    let roles = text("x-roles").unwrap_or_default().to_lowercase();
    Ok(Caller {
        user_id: text("x-user-id"),
        project_id: text("x-project-id"),
        roles: roles
            .split(',')
            .map(|role| role.trim().to_owned())
            .collect(),
        ..caller
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
