//! What tests stand on.

mod cloud;

pub(crate) use cloud::{Answer, Client, Cloud};
