//! The API, as clients see it.

mod cache;
mod conditions;
mod data;
mod formats;
mod images;
mod members;
mod patch;
mod policy;
mod properties;
mod quota;
mod routes;
mod stage;
mod tasks;
