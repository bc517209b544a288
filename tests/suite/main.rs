//! What the service promises, by subject.

mod api;
mod architecture;
mod cache;
mod cli;
mod docs;
mod fuzz;
mod inspect;
mod node;
mod ops;
mod process;
mod recordings;
mod store;
mod support;
