//! Who is asking: identity as a pipeline finds it, without HTTP beyond its headers. Tokens are checked
//! with Keystone, through `client`.

mod anonymous;
mod headers;
mod keystone;
mod shared_cache;
mod token;
mod token_cache;

pub use anonymous::{administrator, reader};
pub use headers::{caller_from_headers, strip};
pub use keystone::Keystone;

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody has confirmed who it is.
    #[error("the identity is not confirmed")]
    Unconfirmed,
    #[error("header {0} comes twice, or is no text")]
    Ambiguous(&'static str),
    #[error("Invalid service catalog json.")]
    InvalidCatalog,
    /// Nobody can tell whether the token is valid.
    #[error("The Keystone service is temporarily unavailable.")]
    KeystoneAway,
}

pub type Result<T> = std::result::Result<T, Error>;
