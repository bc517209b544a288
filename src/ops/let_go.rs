//! Taking an image's data from one of its places.

use tracing::{info, warn};

use super::access::{may_write, owns};
use super::{Error, Glance, Result};
use crate::db;
use crate::domain::location::{Moves, NoPlace};
use crate::domain::{Caller, Image, ImageId, Location, Status};
use crate::store;

/// How often it is tried anew when another request was faster.
const ATTEMPTS: usize = 4;

impl Glance {
    /// Takes an image's data from one of several stores. The last copy stays.
    pub async fn remove_from_store(&self, caller: &Caller, store: &str, id: &str) -> Result<()> {
        may_write(caller)?;
        self.stores_to_choose().map_err(|_| Error::NotThere)?;
        if !self.stores.knows(store) {
            return Err(Error::NoSuchStore(store.to_owned()));
        }
        for _ in 0..ATTEMPTS {
            let image = self.visible(caller, id).await?;
            let image = image.ok_or_else(|| Error::NothingToStrip(id.to_owned()))?;
            let location = self.removable(caller, &image, store).await?;
            let mut same = image.locations.iter().filter(|one| one.url == location.url);
            let in_use = same.nth(1).is_some();
            let moves = Moves {
                from: image.locations.clone(),
                removed: vec![location.clone()],
                removed_as: self.removed_status().filter(|_| !in_use),
                added: Vec::new(),
            };
            let now = self.clock.now();
            match (self.db.move_locations(image.id, image.status, &moves, now)).await {
                Ok(()) => return self.let_go(image.id, vec![location]).await,
                Err(db::Error::Conflict { .. }) => {}
                Err(db::Error::Gone(_)) => return Err(Error::NothingToStrip(id.to_owned())),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// The location in `store`, where the caller may take it away.
    async fn removable(&self, caller: &Caller, image: &Image, store: &str) -> Result<Location> {
        self.permit(caller, image, "get_image_location").await?;
        self.permit(caller, image, "delete_image_location").await?;
        if image.status != Status::Active {
            return Err(NoPlace::NotActive.into());
        }
        if image.locations.len() == 1 {
            return Err(NoPlace::OnlyStore.into());
        }
        let mut locations = image.locations.iter();
        let location = locations.find(|location| location.store() == Some(store));
        let location = location.ok_or_else(|| NoPlace::NotInStore {
            image: image.id,
            store: store.to_owned(),
        })?;
        owns(caller, image)?;
        Ok(location.clone())
    }

    /// What locations become whose data is not an image's any more.
    pub(super) fn removed_status(&self) -> Option<Status> {
        (self.image_rules().delayed_delete).then_some(Status::PendingDelete)
    }

    /// Forgets data whose locations were taken from an image that goes on. Where a store keeps it, the image
    /// keeps it as well.
    pub(super) async fn let_go(&self, id: ImageId, locations: Vec<Location>) -> Result<()> {
        if self.image_rules().delayed_delete || locations.is_empty() {
            return Ok(());
        }
        let image = self.db.image(id).await?;
        let shared = |location: &Location| {
            let mut others = image.iter().flat_map(|image| &image.locations);
            others.any(|other| other.url == location.url)
        };
        for location in locations {
            if shared(&location) {
                continue;
            }
            let forgotten = match self.stores.of(&location) {
                Ok(store) => store.delete(&location).await,
                Err(error) => Err(error),
            };
            match forgotten {
                Ok(()) => {}
                Err(store::Error::NotFound) => {
                    warn!(image.id = %id, "the data of image {id} was gone from its store already");
                }
                Err(error @ (store::Error::ReadOnly | store::Error::UnknownScheme(_))) => {
                    info!(image.id = %id, %error, "data of image {id} stays where it is: {error}");
                }
                Err(error) => {
                    self.keep(id, location).await?;
                    return Err(match error {
                        store::Error::InUse => NoPlace::InUse(id).into(),
                        error => error.into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Notes a location again whose data could not be forgotten.
    async fn keep(&self, id: ImageId, location: Location) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(image) = self.db.image(id).await? else {
                return Ok(());
            };
            let moves = Moves {
                from: image.locations,
                added: vec![location.clone()],
                ..Moves::default()
            };
            let now = self.clock.now();
            match self.db.move_locations(id, image.status, &moves, now).await {
                Err(db::Error::Conflict { .. }) => {}
                other => return Ok(other?),
            }
        }
        Err(Error::Conflict)
    }
}
