//! Images: making, finding, showing and deleting them.

use serde_json::Value;

use super::access::{may_write, owns};
use super::{Error, Glance, Result, quota};
use crate::db;
use crate::domain::draft::Draft;
use crate::domain::listing::Listing;
use crate::domain::property;
use crate::domain::{Caller, Image, ImageId, Location, Refusal, Visibility};
use crate::policy::{Target, Touch};
use crate::store;

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub images: Vec<Image>,
    /// The image that the next page follows, where there may be one.
    pub next: Option<ImageId>,
}

impl Glance {
    /// Makes an image as `document` describes it, without data.
    pub async fn create_image(&self, caller: &Caller, document: &Value) -> Result<Image> {
        let draft = Draft::read(document, self.image_schema())?;
        may_write(caller)?;
        self.permit_creation(caller, &draft).await?;

        let tags = draft.tags_named();
        let image = draft.into_image(caller.project_id.as_deref(), self.clock.now())?;
        self.permit_properties(caller, &image).await?;
        // As in the original, what its maker may not read is not kept either.
        let image = self.shown(caller, image).await;
        quota::tags(&self.image_rules(), tags)?;
        quota::properties(&self.image_rules(), &image)?;
        property::storable(&image)?;
        match self.add_image(caller, &stored(&image)).await {
            Ok(()) => Ok(image),
            Err(Error::Db(db::Error::Duplicate(id))) => Err(Error::IdTaken(id.to_string())),
            Err(error) => Err(error),
        }
    }

    async fn permit_creation(&self, caller: &Caller, draft: &Draft) -> Result<()> {
        let own = caller.project_id.as_deref();
        let owner = draft.owner(own);
        let visibility = draft.visibility().unwrap_or(Visibility::Private);
        let project = owner.map_or(Value::Null, Value::from);
        let target = Target::from([
            ("project_id", project.clone()),
            ("owner", project),
            ("visibility", visibility.as_str().into()),
        ]);
        if !self.policy.allows(caller, "add_image", &target).await {
            return Err(if owner == own {
                Error::Forbidden("add_image")
            } else {
                Error::OwnerOfAnother(owner.unwrap_or("None").to_owned())
            });
        }
        self.permit_visibility(caller, visibility, &target).await?;
        if self.policy.asks_for_owners() && !caller.is_admin && owner != own {
            return Err(Error::OwnerOfOthers(owner.unwrap_or("None").to_owned()));
        }
        Ok(())
    }

    async fn permit_properties(&self, caller: &Caller, image: &Image) -> Result<()> {
        for name in image.properties.keys() {
            if !self.policy.may_touch(caller, name, Touch::Create).await {
                return Err(Refusal::ProtectedProperty(name.clone()).into());
            }
        }
        Ok(())
    }

    /// What is known of an image.
    pub async fn image(&self, caller: &Caller, id: &str) -> Result<Image> {
        self.authorized(caller, id, "get_image").await
    }

    /// A page of the images that the caller may see and asks for.
    pub async fn images(&self, caller: &Caller, listing: &Listing) -> Result<Page> {
        let project = caller
            .project_id
            .as_deref()
            .map_or(Value::Null, Value::from);
        let target = Target::from([("project_id", project)]);
        self.permit_plainly(caller, "get_images", &target).await?;

        let limits = self.image_rules();
        let limit = listing.page_size(limits.page_default, limits.page_max);
        let marker = match &listing.marker {
            Some(id) => Some(self.marker(caller, id).await?),
            None => None,
        };
        if listing.is_empty() || limit == 0 {
            return Ok(Page {
                images: Vec::new(),
                next: None,
            });
        }
        let mut query = listing.query(caller);
        query.marker = marker;
        query.limit = limit;
        let Some(found) = self.db.images(&query).await? else {
            // The marker was deleted a moment ago.
            return Err(Error::NoSuchMarker(
                listing.marker.clone().unwrap_or_default(),
            ));
        };
        let full = u32::try_from(found.len()) == Ok(limit);
        let mut images = Vec::with_capacity(found.len());
        for mut image in found {
            self.stores.sort(&mut image.locations);
            let image = self.shown(caller, image).await;
            if self.permit(caller, &image, "get_image").await.is_ok() {
                images.push(image);
            }
        }
        let next = images.last().filter(|_| full).map(|image| image.id);
        Ok(Page { images, next })
    }

    async fn marker(&self, caller: &Caller, id: &str) -> Result<ImageId> {
        let unknown = || Error::NoSuchMarker(id.to_owned());
        let parsed: ImageId = id.parse().map_err(|_| unknown())?;
        let image = self.db.image(parsed).await?.ok_or_else(unknown)?;
        if self.is_visible(caller, &image).await? {
            Ok(parsed)
        } else {
            Err(Error::MarkerNotVisible(id.to_owned()))
        }
    }

    /// Deletes an image. When this returns, this node has no copy of it.
    pub async fn delete_image(&self, caller: &Caller, id: &str) -> Result<()> {
        may_write(caller)?;
        let missing = || Error::NothingToDelete(id.to_owned());
        let image = self.visible(caller, id).await?.ok_or_else(missing)?;
        self.permit(caller, &image, "delete_image").await?;
        if image.protected {
            return Err(Refusal::Protected(image.id).into());
        }
        owns(caller, &image).map_err(|_| missing())?;
        let now = self.clock.now();
        // Data that is to be kept for a while is found again by the state of its image.
        let later = self.image_rules().delayed_delete && !image.locations.is_empty();
        let deleted = if later {
            self.db.delete_image_later(image.id, now).await
        } else {
            self.db.delete_image(image.id, now).await
        };
        let locations = deleted.map_err(|error| match error {
            db::Error::Gone(_) => missing(),
            error => error.into(),
        })?;
        if let Some(cache) = &self.cache {
            cache.forget(image.id).await?;
        }
        self.forget_staged(&image).await;
        if !later {
            self.forget_data(image.id, &locations).await;
        }
        Ok(())
    }

    /// Takes an image's data away. The image is gone already and stays so whatever a store says.
    async fn forget_data(&self, id: ImageId, locations: &[Location]) {
        for location in locations {
            let forgotten = match self.stores.of(location) {
                Ok(store) => store.delete(location).await,
                Err(error) => Err(error),
            };
            match forgotten {
                Ok(()) | Err(store::Error::NotFound) => {}
                Err(store::Error::ReadOnly) => {
                    tracing::info!(image.id = %id, "data of deleted image {id} stays in a store that is only read");
                }
                Err(error) => tracing::warn!(
                    image.id = %id,
                    error = &error as &dyn std::error::Error,
                    "data of deleted image {id} stays in its store"
                ),
            }
        }
    }
}

/// The image as it is kept: an owner without a name is none.
pub(super) fn stored(image: &Image) -> Image {
    let mut image = image.clone();
    image.owner = image.owner.filter(|owner| !owner.is_empty());
    image
}
