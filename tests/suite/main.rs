//! What the service promises, by subject.

mod api;
mod architecture;
mod cache;
mod cli;
mod inspect;
mod ops;
mod parity;
mod store;
mod support;
