//! glance: the `OpenStack` image service. Each layer uses only the ones below it.

pub mod auth;
pub mod cache;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod db;
pub mod domain;
pub mod inspect;
pub mod ops;
pub mod policy;
pub mod server;
pub mod store;
pub mod stream;
pub mod telemetry;
