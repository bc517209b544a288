//! Taking data in that waits for its import.
//!
//! Staged data is a file of this node, named after its image, and nobody reads it before an import does.
//! As in an upload, whichever way it ends the image is `uploading` with all of its data or `queued` without.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::access::{may_write, owns};
use super::intake::{Intake, detached};
use super::limits::Kind;
use super::resource::Resource;
use super::upload::{limited, refusal};
use super::{Error, Glance, Result};
use crate::config::stores::FileStoreConfig;
use crate::db;
use crate::domain::property::STAGE_HOST;
use crate::domain::{Caller, Image, ImageId, Location, Status};
use crate::store::{self, FileStore, Store};
use crate::stream::ByteStream;

/// The import method that takes staged data.
const GLANCE_DIRECT: &str = "glance-direct";

/// Where data waits for its import. The directory is made when the first data comes.
#[derive(Debug)]
pub(super) struct Staging {
    dir: PathBuf,
    files: OnceCell<Arc<FileStore>>,
}

impl Staging {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            files: OnceCell::new(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    async fn files(&self) -> store::Result<Arc<FileStore>> {
        let open = async || {
            let config = FileStoreConfig {
                dirs: vec![(self.dir.clone(), 0)],
                file_perm: 0,
                chunk_size: 0,
                thin_provisioning: false,
                metadata_file: None,
            };
            FileStore::open(&config, None).await.map(Arc::new)
        };
        self.files.get_or_try_init(open).await.cloned()
    }

    /// Forgets an image's data. There may be none.
    async fn forget(&self, id: ImageId) -> store::Result<()> {
        let path = self.dir.join(id.as_str());
        let location = Location::active(format!("file://{}", path.display()), [].into());
        match self.files().await?.delete(&location).await {
            Err(store::Error::NotFound) => Ok(()),
            other => other,
        }
    }
}

impl Glance {
    /// Whether this site takes data in to be imported later.
    pub fn may_be_staged(&self) -> Result<()> {
        let methods = &self.config.image.import_methods;
        if methods.iter().any(|method| method == GLANCE_DIRECT) {
            return Ok(());
        }
        Err(Error::NoStaging)
    }

    /// Takes in data that waits for its import: `queued` becomes `uploading`. `size` is as in an upload.
    pub async fn stage(
        &self,
        caller: &Caller,
        id: ImageId,
        bytes: ByteStream,
        size: Option<i64>,
    ) -> Result<()> {
        may_write(caller)?;
        self.check_limit(caller, Resource::StageTotal, size).await?;
        let image = self.authorized(caller, id, "modify_image").await?;
        if !image.status.can_become(Status::Uploading) {
            return Err(Error::StatusTransition {
                from: image.status,
                to: Status::Uploading,
            });
        }
        owns(caller, &image)?;
        let wish = self.wish(caller, Kind::Staged, size).await?;
        let intake = Intake::begin(self, id, Status::Uploading, wish).await;
        let mut intake = intake.map_err(|error| self.refused(caller, error))?;
        match intake.set_aside(bytes, size).await {
            Ok(size) => detached(intake.note_staged(size)).await,
            Err(error) => {
                detached(intake.undo()).await?;
                Err(self.refused(caller, error))
            }
        }
    }

    /// Takes away what was staged of an image that is gone.
    pub(super) async fn forget_staged(&self, image: &Image) {
        if !matches!(image.status, Status::Uploading | Status::Importing) {
            return;
        }
        let id = image.id;
        if let Err(error) = self.staging().forget(id).await {
            tracing::warn!(image.id = %id, %error, "staged data of deleted image {id} stays: {error}");
        }
    }
}

impl Intake {
    /// Writes the data where it waits, and says how much it is.
    async fn set_aside(&mut self, bytes: ByteStream, size: Option<i64>) -> Result<u64> {
        let size = size.filter(|size| *size != 0);
        let mut bytes = limited(bytes, self.glance.image_rules().size_cap, size);
        if let Some(room) = &self.room {
            bytes = room.around(bytes);
        }
        let staging = self.glance.staging();
        let files = staging.files().await.map_err(refusal)?;
        // Nobody else stages this image now: what lies there is left over from a crash.
        staging.forget(self.id).await.map_err(refusal)?;
        let declared = size.and_then(|size| u64::try_from(size).ok());
        let stored = files.put(self.id, bytes, declared).await.map_err(refusal)?;
        let size = stored.size;
        self.stored = Some((files, stored));
        if let Some(room) = &self.room {
            room.confirm(size).await?;
        }
        Ok(size)
    }

    /// Tells the image how much data waits, and which node has it.
    async fn note_staged(mut self, size: u64) -> Result<()> {
        match self.staged_image(size).await {
            Ok(()) => {
                self.settle().await;
                Ok(())
            }
            Err(error) => {
                self.undo().await?;
                Err(error)
            }
        }
    }

    async fn staged_image(&self, size: u64) -> Result<()> {
        let (glance, id) = (&self.glance, self.id);
        let gone = || Error::NoSuchImage(id.to_string());
        let mut image = glance.db.image(id).await?.ok_or_else(gone)?;
        image.size = Some(size);
        image.updated_at = glance.clock.now();
        let api = &glance.config.api;
        let host = (api.self_reference_url.as_ref()).or(api.public_endpoint.as_ref());
        if let Some(host) = host {
            let host = host.clone();
            image.properties.insert(STAGE_HOST.to_owned(), Some(host));
        }
        match glance.db.update_image(&image, Status::Uploading).await {
            Ok(_) => Ok(()),
            Err(db::Error::Gone(_)) => Err(gone()),
            Err(db::Error::Conflict { .. }) => Err(Error::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}
