//! HTTP, and nothing else.

pub mod error;
pub mod extract;
pub mod fault;
mod methods;
pub mod router;
pub mod v2;
pub mod view;

pub use fault::Fault;
pub use router::router;

/// Where clients reach the service: `https://host:port`, without a slash at its end.
#[derive(Debug, Clone)]
pub struct BaseUrl(pub String);
