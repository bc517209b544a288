//! What an image is: values and rules, without I/O.

pub mod caller;
pub mod checksum;
pub mod image;
pub mod location;
pub mod member;
pub mod query;
pub mod status;

pub use caller::Caller;
pub use image::{Image, ImageId, Visibility};
pub use location::Location;
pub use member::{Member, MemberStatus};
pub use status::Status;
