//! What the service promises, by subject.

mod store;
