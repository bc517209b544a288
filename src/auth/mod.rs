//! Who is asking: identity as a pipeline finds it, without HTTP beyond its headers.

mod anonymous;
mod headers;

pub use anonymous::administrator;
pub use headers::caller_from_headers;

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
}

pub type Result<T> = std::result::Result<T, Error>;
