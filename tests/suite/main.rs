//! What the service promises, by subject.

mod architecture;
mod cache;
mod cli;
mod store;
