//! What the service promises, by subject.

mod api;
mod architecture;
mod cache;
mod cli;
mod docs;
mod inspect;
mod ops;
mod store;
mod support;
