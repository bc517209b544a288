//! What the service promises, by subject.

mod cli;
mod store;
