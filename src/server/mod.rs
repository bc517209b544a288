//! HTTP, and nothing else.

pub mod extract;
pub mod fault;
