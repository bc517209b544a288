//! The API, a file per resource.

pub mod actions;
pub mod cache;
pub mod cached_images;
pub mod data;
pub mod images;
pub mod import;
pub mod info;
pub mod locations;
pub mod members;
pub mod metadefs;
pub mod schemas;
pub mod stores;
pub mod tags;
pub mod task_list;
pub mod tasks;
