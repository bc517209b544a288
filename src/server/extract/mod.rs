//! What handlers take from a request.

mod body;
mod caller;
mod conditions;
mod constants;
mod patch;
mod path;
mod query;
pub mod range;

pub use body::{AnyBody, Json, NoBody, is_overdue};
pub use conditions::{Conditions, ETag};
pub use patch::Patch;
pub use path::Path;
pub use query::Query;
pub use range::Range;

use http::StatusCode;

use super::fault::Fault;

/// Bytes in a path or query that are no text.
fn undecodable() -> Fault {
    Fault::new(
        StatusCode::BAD_REQUEST,
        "Error decoding your request. Either the URL or the request body contained characters that could \
         not be decoded by Glance",
    )
}
