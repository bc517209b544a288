//! Stores as clients see them.

use serde_json::{Value, json};

use crate::config::stores::{DriverConfig, FileStoreConfig, StoreConfig};

/// What everybody may know of a store.
pub(in crate::server) fn store(store: &StoreConfig, default: &str) -> Value {
    let mut view = json!({"id": store.id});
    if let Some(description) = &store.description {
        view["description"] = description.as_str().into();
    }
    if store.id == default {
        view["default"] = "true".into();
    }
    if matches!(store.driver, DriverConfig::Http(_)) {
        view["read-only"] = "true".into();
    }
    view
}

/// What administrators may know of it.
pub(in crate::server) fn store_in_detail(config: &StoreConfig, default: &str) -> Value {
    let mut view = store(config, default);
    let (driver, properties) = match &config.driver {
        DriverConfig::File(file) => ("file", file_properties(file)),
        DriverConfig::Http(_) => ("http", json!({})),
        DriverConfig::Absent { driver } => (driver.as_str(), json!({})),
    };
    view["type"] = driver.into();
    view["properties"] = properties;
    view["weight"] = config.weight.into();
    view
}

fn file_properties(file: &FileStoreConfig) -> Value {
    json!({
        "data_dir": file.dirs.first().map(|(dir, _)| dir.to_string_lossy()),
        "chunk_size": file.chunk_size,
        "thin_provisioning": file.thin_provisioning,
    })
}
