//! A service without a socket, over a database full of images.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use glance::clock::Clock;
use glance::config::{Config, Program, Sources};
use glance::db::Db;
use glance::ops::{Glance, Parts};
use glance::policy::Policy;
use glance::server;
use glance::store::Registry;
use glance::telemetry::counters::Counters;
use http::StatusCode;
use http_body_util::BodyExt as _;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::Question;

/// Callers are who they say they are. The original reads it too.
const PASTE: &str = "\
[pipeline:glance-api]
pipeline = versionnegotiation context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
";

/// The service and the directory with all its state.
pub struct Cloud {
    router: Router,
    dir: TempDir,
}

impl Cloud {
    /// A service with so many images.
    pub async fn with_images(images: u32) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        configure(dir.path())?;
        let sources = Sources {
            files: vec![dir.path().join("glance-api.conf")],
            environment: [].into(),
            ..Sources::new(Program::Api)
        };
        let config = Config::load(&sources)?.config;
        let db = Db::open(&config.database).await?;
        fill(&dir.path().join("glance.db"), images)?;
        let glance = Glance::new(Parts {
            counters: Counters::default(),
            stores: Registry::open(&config.stores).await?,
            keystone: None,
            limits: None,
            peers: None,
            policy: Policy::load(&config.policy)?,
            cache: None,
            clock: Clock::system(),
            config,
            db,
        });
        let api = server::router::router(glance.clone());
        Ok(Self {
            router: server::service(&glance, api, CancellationToken::new()),
            dir,
        })
    }

    /// Asks for a list, and says how many images are in it.
    pub async fn images(&self, question: &Question) -> Result<usize> {
        let request = Request::builder()
            .uri(format!("/v2/images{}", question.query))
            .header("X-Identity-Status", "Confirmed")
            .header("X-User-Id", "user")
            .header("X-Project-Id", question.project)
            .header("X-Roles", question.roles)
            .body(Body::empty())?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{status}");
        let page: Value = serde_json::from_slice(&body)?;
        Ok(page["images"].as_array().map_or(0, Vec::len))
    }

    /// The file of its configuration.
    pub fn configuration(&self) -> PathBuf {
        self.dir.path().join("glance-api.conf")
    }
}

fn configure(dir: &Path) -> Result<()> {
    let at = dir.display();
    fs::create_dir(dir.join("images"))?;
    fs::write(dir.join("paste.ini"), PASTE)?;
    fs::write(
        dir.join("glance-api.conf"),
        format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nworker_self_reference_url = http://here\n\
             enabled_import_methods = []\nnode_staging_uri = file://{at}/staging\n\
             [database]\nconnection = sqlite:///{at}/glance.db\n\
             [glance_store]\nstores = file\ndefault_store = file\n\
             filesystem_store_datadir = {at}/images\n\
             [paste_deploy]\nconfig_file = {at}/paste.ini\n"
        ),
    )?;
    Ok(())
}

/// Puts images where the service finds them, in one transaction.
fn fill(file: &Path, images: u32) -> Result<()> {
    let mut db = Connection::open(file)?;
    db.pragma_update(None, "synchronous", "OFF")?;
    let transaction = db.transaction()?;
    let mut rest = include_str!("fill.sql");
    while let Some((statement, more)) = rest.split_once(";\n") {
        let mut statement = transaction.prepare(statement)?;
        match statement.parameter_count() {
            0 => statement.execute([])?,
            _ => statement.execute([images])?,
        };
        rest = more;
    }
    transaction.commit()?;
    Ok(())
}
