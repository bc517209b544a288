//! What the service promises, by subject.

mod api;
mod architecture;
mod cache;
mod cli;
mod fuzz;
mod inspect;
mod node;
mod ops;
mod parity;
mod store;
mod support;
