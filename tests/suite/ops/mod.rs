//! What one can ask of the service, without HTTP.

mod data;
mod locations;
mod recovery;

use std::path::Path;
use std::time::Duration;

use glance::cache::Cache;
use glance::clock::Clock;
use glance::config::stores::{DriverConfig, FileStoreConfig, StoreConfig, StoresConfig};
use glance::config::{
    ApiConfig, Config, DatabaseConfig, ImageConfig, LogConfig, MetricsConfig, Pipeline,
    PolicyConfig, RequestLimitsConfig,
};
use glance::db::Db;
use glance::domain::checksum::HashAlgorithm;
use glance::domain::schema::SiteProperties;
use glance::domain::uri_filter::UriFilter;
use glance::domain::{Caller, Image, ImageId, Status, Visibility};
use glance::ops::{Glance, Parts};
use glance::policy::Policy;
use glance::store::Registry;
use glance::telemetry::counters::Counters;

use crate::support::PATIENCE;

/// The service on a directory of its own, without a cache.
async fn service(dir: &Path) -> Glance {
    assemble(config(dir)).await
}

async fn assemble(config: Config) -> Glance {
    let counters = Counters::default();
    let cache = match &config.cache {
        Some(cache) => Some(Cache::open(cache.clone(), Clock::system(), counters.clone()).await),
        None => None,
    };
    let parts = Parts {
        db: Db::open(&config.database).await.unwrap(),
        stores: Registry::open(&config.stores).await.unwrap(),
        cache,
        keystone: None,
        limits: None,
        peers: None,
        policy: Policy::load(&config.policy).unwrap(),
        clock: Clock::system(),
        counters,
        config,
    };
    Glance::new(parts)
}

fn administrator() -> Caller {
    Caller {
        is_admin: true,
        ..Caller::default()
    }
}

/// A queued image.
async fn image(glance: &Glance, disk_format: &str) -> ImageId {
    let now = glance.clock.now();
    let image = Image {
        id: ImageId::random(),
        name: None,
        status: Status::Queued,
        visibility: Visibility::Shared,
        owner: Some("project".to_owned()),
        disk_format: Some(disk_format.to_owned()),
        container_format: Some("bare".to_owned()),
        size: None,
        virtual_size: None,
        checksums: glance::domain::checksum::Checksums::default(),
        min_disk: 0,
        min_ram: 0,
        protected: false,
        hidden: false,
        created_at: now,
        updated_at: now,
        properties: std::collections::BTreeMap::default(),
        tags: Vec::new(),
        locations: Vec::new(),
    };
    glance.db.create_image(&image).await.unwrap();
    image.id
}

fn config(dir: &Path) -> Config {
    Config {
        state_dir: None,
        metrics: MetricsConfig::default(),
        authtoken: None,
        limits: None,
        request_limits: RequestLimitsConfig::default(),
        api: ApiConfig {
            bind_host: [127, 0, 0, 1].into(),
            bind_port: 0,
            backlog: 1,
            public_endpoint: None,
            self_reference_url: None,
            max_request_id_length: 64,
            allow_anonymous_access: false,
            proxy_headers: false,
            header_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            body_timeout: Duration::from_secs(1),
            drain_notice: Duration::ZERO,
            drain_timeout: Duration::from_secs(1),
            max_header_size: 16_384,
            max_connections: 10,
        },
        image: ImageConfig {
            size_cap: 1_000_000,
            page_default: 25,
            page_max: 1000,
            property_quota: 128,
            tag_quota: 128,
            member_quota: 128,
            location_quota: 10,
            user_storage_quota: 0,
            hash: HashAlgorithm::Sha512,
            disk_formats: vec!["raw".to_owned(), "qcow2".to_owned()],
            container_formats: vec!["bare".to_owned()],
            require_format_match: true,
            gpt_nonfatal: Vec::new(),
            vmdk_types: Vec::new(),
            show_direct_url: false,
            show_locations: false,
            import_methods: Vec::new(),
            staging_dir: dir.join("staging"),
            delayed_delete: false,
            hash_locations: true,
            hash_retries: 3,
            filter: UriFilter::default(),
            task_lifetime: Duration::from_hours(48),
            site: SiteProperties::default(),
        },
        cache: None,
        database: DatabaseConfig::at(format!("sqlite:///{}", dir.join("glance.db").display())),
        stores: StoresConfig {
            multi: false,
            reserved: Vec::new(),
            patience: Duration::from_secs(30),
            default: "file".to_owned(),
            stores: vec![StoreConfig {
                id: "file".to_owned(),
                description: None,
                weight: 0,
                driver: DriverConfig::File(FileStoreConfig {
                    dirs: vec![(dir.join("images"), 0)],
                    file_perm: 0,
                    chunk_size: 65_536,
                    thin_provisioning: false,
                    metadata_file: None,
                }),
            }],
        },
        policy: PolicyConfig {
            allow_all: true,
            ..PolicyConfig::default()
        },
        pipeline: Pipeline {
            flavor: String::new(),
            filters: Vec::new(),
            healthcheck: None,
        },
        log: LogConfig {
            debug: false,
            file: None,
            use_stderr: true,
            json: false,
            levels: Vec::new(),
        },
    }
}

/// Waits until it is so, which is to be.
async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.expect("it never came");
}

/// Files of the store, finished or not.
fn stored(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("images")).unwrap().count()
}
