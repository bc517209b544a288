//! The API, as clients see it.

mod cache;
mod data;
mod formats;
mod images;
mod members;
mod patch;
mod properties;
mod quota;
mod routes;
mod stage;
