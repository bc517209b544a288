//! HTTP, and nothing else.

pub mod fault;
