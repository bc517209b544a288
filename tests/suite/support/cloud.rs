//! A whole service without a socket: the real router and layers, a throw-away database, a real file store.

use std::path::Path;

use axum::Router;
use glance::auth::Keystone;
use glance::cache::Cache;
use glance::client::Limits;
use glance::clock::Clock;
use glance::config::{Config, Program, Sources};
use glance::db::Db;
use glance::ops::{Glance, Parts};
use glance::policy::Policy;
use glance::server;
use glance::store::Registry;
use glance::telemetry::counters::Counters;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Client, Database};

/// The project of `member` and `reader`.
const PROJECT: &str = "aaaa0000aaaa0000aaaa0000aaaa0000";
/// The project of `neighbour`.
const OTHER_PROJECT: &str = "bbbb0000bbbb0000bbbb0000bbbb0000";

const PASTE: &str = "\
[pipeline:glance-api-cachemanagement]
pipeline = versionnegotiation context cache cachemanage rootapp
[pipeline:glance-api-tokens]
pipeline = versionnegotiation authtoken context cache cachemanage rootapp
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:cache]
paste.filter_factory = glance.api.middleware.cache:CacheFilter.factory
[filter:cachemanage]
paste.filter_factory = glance.api.middleware.cache_manage:CacheManageFilter.factory
[app:rootapp]
paste.app_factory = glance.api.versions:create_resource
";

/// The service and the directory with all its state.
pub(crate) struct Cloud {
    pub(super) router: Router,
    dir: TempDir,
    database: Database,
}

/// One file store.
const FILES: &str = "[glance_store]\nstores = file\ndefault_store = file\nfilesystem_store_datadir = {dir}/images\n";

impl Cloud {
    /// A service with a cache, where everybody is who it says it is.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// The same with options of `[DEFAULT]` over it.
    pub(crate) async fn with(options: &str) -> Self {
        Self::with_files(options, &[]).await
    }

    /// The same with further files beside the configuration.
    pub(crate) async fn with_files(options: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        let database = Database::beside(dir.path());
        Self::open(dir, database, options, FILES).await
    }

    /// The same with other stores: sections of the configuration, where `{dir}` is the directory.
    pub(crate) async fn with_stores(options: &str, stores: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::beside(dir.path());
        Self::open(dir, database, options, stores).await
    }

    /// A service that checks tokens with Keystone, with options of `[keystone_authtoken]`.
    pub(crate) async fn with_keystone(url: &str, options: &str, authtoken: &str) -> Self {
        let account = format!(
            "{FILES}[keystone_authtoken]\nauth_url = {url}\nusername = glance\npassword = secret\n{authtoken}\n"
        );
        Self::with_stores(options, &account).await
    }

    /// The same database and files with another configuration.
    pub(crate) async fn reopened(self, options: &str, stores: &str) -> Self {
        Self::open(self.dir, self.database, options, stores).await
    }

    async fn open(dir: TempDir, database: Database, options: &str, stores: &str) -> Self {
        let file = dir.path().join("glance-api.conf");
        std::fs::write(dir.path().join("paste.ini"), PASTE).expect("a file");
        let text = configuration(dir.path(), database.url(), options, stores);
        std::fs::write(&file, text).expect("a file");
        let sources = Sources {
            files: vec![file],
            environment: [].into(),
            ..Sources::new(Program::Api)
        };
        let config = Config::load(&sources).expect("a configuration").config;
        let glance = open(config).await;
        let api = server::router::router(glance.clone());
        Self {
            router: server::service(&glance, api, CancellationToken::new()),
            dir,
            database,
        }
    }

    pub(crate) fn admin(&self) -> Client<'_> {
        self.client(
            "adad0000adad0000adad0000adad0000",
            "admin,manager,member,reader",
        )
    }

    pub(crate) fn member(&self) -> Client<'_> {
        self.client(PROJECT, "member,reader")
    }

    pub(crate) fn reader(&self) -> Client<'_> {
        self.client(PROJECT, "reader")
    }

    /// A member of another project.
    pub(crate) fn neighbour(&self) -> Client<'_> {
        self.client(OTHER_PROJECT, "member,reader")
    }

    /// Another service of the cloud.
    pub(crate) fn service(&self) -> Client<'_> {
        self.client("5e5e0000", "service")
    }

    fn client(&self, project: &'static str, roles: &'static str) -> Client<'_> {
        Client {
            cloud: self,
            project,
            roles,
        }
    }

    /// The directory of the file store.
    pub(crate) fn store_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("images")
    }

    /// A path in the directory of all state.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// What it keeps its records in.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Where data waits for its import.
    pub(crate) fn staging_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("staging")
    }
}

fn configuration(dir: &Path, database: &str, options: &str, stores: &str) -> String {
    let dir = dir.display();
    let stores = stores.replace("{dir}", &dir.to_string());
    let flavor = if stores.contains("[keystone_authtoken]") {
        "tokens"
    } else {
        "cachemanagement"
    };
    let methods = if options.contains("enabled_import_methods") {
        ""
    } else {
        "enabled_import_methods = []"
    };
    format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nimage_cache_dir = {dir}/cache\n\
         worker_self_reference_url = http://here\n{methods}\n\
         node_staging_uri = file://{dir}/staging\n{options}\n\
         [database]\nconnection = {database}\nmax_pool_size = 2\nmax_overflow = 2\n\
         {stores}\n\
         [paste_deploy]\nconfig_file = {dir}/paste.ini\nflavor = {flavor}\n"
    )
}

async fn open(config: Config) -> Glance {
    let clock = Clock::system();
    let db = Db::open(&config.database).await.expect("a database");
    let stores = Registry::open(&config.stores).await.expect("stores");
    let policy = Policy::load(&config.policy).expect("a policy");
    let keystone = config
        .authtoken
        .as_ref()
        .map(|authtoken| Keystone::new(authtoken, clock.clone()).expect("a client for Keystone"));
    let counters = Counters::default();
    let limits = config.limits.as_ref();
    let limits = limits.map(|limits| Limits::new(limits).expect("a client for Keystone"));
    let cache = match &config.cache {
        Some(cache) => Some(Cache::open(cache.clone(), clock.clone(), counters.clone()).await),
        None => None,
    };
    Glance::new(Parts {
        config,
        db,
        stores,
        cache,
        keystone,
        limits,
        peers: None,
        policy,
        clock,
        counters,
    })
}
