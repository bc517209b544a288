//! Locations that are on their way when the service ends.

use glance::config::stores::{DriverConfig, HttpStoreConfig, StoreConfig};
use glance::domain::uri_filter::UriFilter;
use glance::domain::{Caller, Status};
use serde_json::json;

use super::{assemble, config, eventually, image};
use crate::support::{Origin, PATIENCE};

#[tokio::test]
async fn an_end_of_the_service_leaves_no_image_locked() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::new().await;
    let mut config = config(dir.path());
    config.image.filter = UriFilter {
        allowed_hosts: vec!["127.0.0.1".to_owned()],
        ..UriFilter::default()
    };
    config.stores.stores.push(StoreConfig {
        id: "http".to_owned(),
        description: None,
        weight: 0,
        driver: DriverConfig::Http(HttpStoreConfig {
            ca_file: None,
            insecure: true,
            proxies: Vec::new(),
            filter: UriFilter::default(),
        }),
    });
    let glance = assemble(config).await;
    let owner = Caller {
        project_id: Some("project".to_owned()),
        ..Caller::default()
    };
    let slow = json!({"url": origin.url("/slow/1000000")});
    let promise = json!({"os_hash_algo": "md5", "os_hash_value": "a".repeat(32)});
    let promised = json!({"url": origin.url("/slow/2000000"), "validation_data": promise});
    let (plain, proven) = (image(&glance, "raw").await, image(&glance, "raw").await);
    for (id, document) in [(plain, slow), (proven, promised)] {
        let added = glance.add_location(&owner, id.as_str(), &document).await;
        added.unwrap();
    }
    eventually(async || {
        let asked = origin.asked();
        asked.iter().filter(|one| one.starts_with("GET ")).count() == 2
    })
    .await;

    let finished = tokio::time::timeout(PATIENCE, glance.finish());
    finished.await.expect("it did not end");
    for (id, status, places) in [(plain, Status::Active, 1), (proven, Status::Queued, 0)] {
        let there = glance.db.image(id).await.unwrap().unwrap();
        assert_eq!((there.status, there.locations.len()), (status, places));
        assert!(there.properties.is_empty(), "{:?}", there.properties);
        let tasks = glance.tasks_of(&owner, id.as_str()).await.unwrap();
        assert_eq!(tasks[0].stub.status, "failure");
    }
}
