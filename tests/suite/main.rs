//! What the service promises, by subject.

mod api;
mod architecture;
mod cache;
mod cli;
mod database;
mod docs;
mod fuzz;
mod inspect;
mod laws;
mod node;
mod ops;
mod process;
mod recordings;
mod store;
mod support;
