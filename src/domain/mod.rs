//! What an image is: values and rules, without I/O.

pub mod assignment;
pub mod caller;
pub mod checksum;
pub mod draft;
pub mod evidence;
pub mod image;
pub mod isotime;
pub mod listing;
pub mod literal;
pub mod location;
pub mod member;
pub mod patch;
pub mod pretty;
pub mod property;
pub mod query;
pub mod refusal;
pub mod report;
pub mod schema;
pub mod status;
pub mod task;
pub mod task_stub;
pub mod units;
pub mod uri_filter;

pub use caller::Caller;
pub use image::{Image, ImageId, Sight, Visibility};
pub use location::Location;
pub use member::{Member, MemberStatus};
pub use refusal::Refusal;
pub use status::Status;
