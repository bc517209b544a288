//! Who may see an image, and what they may do with it.
//!
//! Two questions are asked of every image. The first is as old as the service and no rule changes it: does
//! the caller get to know of the image at all? The second is the policy's. Where it says no, the answer
//! still tells nothing of an image that the caller may not see: it is as if there were none.

use tracing::warn;

use super::{Error, Glance, Result};
use crate::db;
use crate::domain::{Caller, Image, ImageId, Location, Sight, Visibility};
use crate::policy::{Facts, ImageFacts, Touch};

/// What is an owner's to do where the older rules let in everybody. Uploads have a sentence of their own.
const OWNERS: [&str; 5] = [
    "delete_image",
    "modify_image",
    "deactivate",
    "reactivate",
    "delete_image_location",
];

impl Glance {
    /// The image that the caller means as far as it may see it, or none that it may know of.
    pub(super) async fn visible(&self, caller: &Caller, id: &str) -> Result<Option<Image>> {
        let image = self.known(caller, id).await?;
        Ok(match image {
            Some(image) => Some(self.shown(caller, image).await),
            None => None,
        })
    }

    /// The same with the properties that are hidden from the caller.
    pub(super) async fn known(&self, caller: &Caller, id: &str) -> Result<Option<Image>> {
        let Ok(id) = id.parse::<ImageId>() else {
            return Ok(None);
        };
        let Some(mut image) = self.db.image(id).await? else {
            return Ok(None);
        };
        if !self.is_visible(caller, &image).await? {
            return Ok(None);
        }
        self.name_stores(caller, &mut image).await;
        self.stores.sort(&mut image.locations);
        Ok(Some(image))
    }

    /// Notes the stores of locations that come from a time without names, or of other names. Where the caller
    /// may not change the image, that is only for this once.
    async fn name_stores(&self, caller: &Caller, image: &mut Image) {
        let unnamed =
            |location: &Location| !location.store().is_some_and(|name| self.stores.has(name));
        let mut notes = Vec::new();
        for location in image
            .locations
            .iter_mut()
            .filter(|location| unnamed(location))
        {
            let before = location.clone();
            self.name_store(location);
            if !location.is(&before) {
                notes.push((before, location.clone()));
            }
        }
        if notes.is_empty() || caller.read_only || owns(caller, image).is_err() {
            return;
        }
        let now = self.clock.now();
        match self.db.note_locations(image.id, &notes, now).await {
            Ok(()) => image.updated_at = now,
            // Somebody was faster, or changes the image in another way.
            Err(db::Error::Gone(_)) => {}
            Err(error) => warn!(image.id = %image.id, %error,
                "the stores of image {} are not noted: {error}", image.id),
        }
    }

    /// The image without the properties that are hidden from the caller.
    pub(super) async fn shown(&self, caller: &Caller, mut image: Image) -> Image {
        let mut hidden = Vec::new();
        for name in image.properties.keys() {
            if !self.policy.may_touch(caller, name, Touch::Read).await {
                hidden.push(name.clone());
            }
        }
        image.properties.retain(|name, _| !hidden.contains(name));
        image
    }

    /// The image, where the caller may do `action` with it.
    pub(super) async fn authorized(
        &self,
        caller: &Caller,
        id: impl AsRef<str>,
        action: &'static str,
    ) -> Result<Image> {
        let id = id.as_ref();
        let image =
            (self.visible(caller, id).await?).ok_or_else(|| Error::NoSuchImage(id.to_owned()))?;
        self.permit(caller, &image, action).await?;
        Ok(image)
    }

    /// Whether the caller gets to know of the image.
    pub(super) async fn is_visible(&self, caller: &Caller, image: &Image) -> Result<bool> {
        Ok(match image.sight(caller) {
            Sight::Seen => true,
            Sight::Unseen => false,
            Sight::OfMember(project) => self.db.member(image.id, project).await?.is_some(),
        })
    }

    /// Asks the policy about something of an image. Who may not even see the image hears that there is none.
    pub(super) async fn permit(
        &self,
        caller: &Caller,
        image: &Image,
        action: &'static str,
    ) -> Result<()> {
        let facts = ImageFacts::new(image, caller);
        if self.policy.allows(caller, action, &facts).await {
            if self.policy.asks_for_owners() && OWNERS.contains(&action) {
                owns(caller, image)?;
            }
            return Ok(());
        }
        if action == "get_image" || !self.policy.allows(caller, "get_image", &facts).await {
            return Err(Error::Hidden);
        }
        Err(Error::Forbidden(action))
    }

    /// Asks the policy, and says so plainly where it forbids.
    pub(super) async fn permit_plainly(
        &self,
        caller: &Caller,
        action: &'static str,
        facts: &dyn Facts,
    ) -> Result<()> {
        if self.policy.allows(caller, action, facts).await {
            Ok(())
        } else {
            Err(Error::Forbidden(action))
        }
    }

    /// Making an image public or everybody's is asked about apart.
    pub(super) async fn permit_visibility(
        &self,
        caller: &Caller,
        visibility: Visibility,
        facts: &dyn Facts,
    ) -> Result<()> {
        match visibility {
            Visibility::Public => self.permit_plainly(caller, "publicize_image", facts).await,
            Visibility::Community => {
                self.permit_plainly(caller, "communitize_image", facts)
                    .await
            }
            Visibility::Private | Visibility::Shared => Ok(()),
        }
    }
}

/// Whoever was let in without a name may look and not touch.
pub(super) fn may_write(caller: &Caller) -> Result<()> {
    if caller.read_only {
        return Err(Error::ReadOnlyCaller);
    }
    Ok(())
}

/// The database keeps images for their owners, whatever the policy says.
pub(super) fn owns(caller: &Caller, image: &Image) -> Result<()> {
    let owner = image.owner.as_deref();
    if caller.is_admin || (owner.is_some() && owner == caller.project_id.as_deref()) {
        return Ok(());
    }
    Err(Error::NotYours)
}
