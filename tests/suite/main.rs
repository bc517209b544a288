//! What the service promises, by subject.

mod cache;
mod store;
