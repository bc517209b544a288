//! What tests stand on.

mod cloud;
mod origin;

pub(crate) use cloud::{Answer, Cloud};
pub(crate) use origin::Origin;
