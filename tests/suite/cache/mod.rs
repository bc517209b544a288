//! The cache of a node.

mod along;
mod changed;
mod crash;
mod directory;
mod eviction;
mod faults;
mod fills;
mod index;
mod limit;
mod queue;
mod siblings;
mod spans;
mod support;
mod takeover;
