//! Changing images.

use serde_json::Value;

use super::access::{may_write, owns};
use super::images::stored;
use super::locations::Moving;
use super::{Error, Glance, Result, quota};
use crate::db;
use crate::domain::assignment::Assignment;
use crate::domain::patch::{self, Change, Dialect, LocationChange};
use crate::domain::property;
use crate::domain::{Caller, Image, Location, Refusal};
use crate::policy::{ImageFacts, Touch};

/// How often a change is made anew when another request was faster.
const ATTEMPTS: usize = 24;

impl Glance {
    /// Changes an image as a patch says: all of it, or nothing.
    pub async fn patch_image(
        &self,
        caller: &Caller,
        id: &str,
        document: &Value,
        dialect: Dialect,
    ) -> Result<Image> {
        let changes = patch::read(document, dialect, self.image_schema())?;
        may_write(caller)?;
        let missing = || Error::NoSuchImage(id.to_owned());
        if changes.is_empty() {
            return self.visible(caller, id).await?.ok_or_else(missing);
        }
        for _ in 0..ATTEMPTS {
            let image = self.known(caller, id).await?.ok_or_else(missing)?;
            let (mut edited, moving) = self.patched(caller, &image, &changes).await?;
            edited.updated_at = self.clock.now();
            let mut moves = moving.moves(&image.locations, &edited.locations);
            if let Some(moves) = &mut moves {
                // Whoever deletes later must not find data that is still in use.
                let in_use = |gone: &Location| edited.locations.iter().any(|l| l.url == gone.url);
                let all_go = !moves.removed.iter().any(in_use);
                moves.removed_as = self.removed_status().filter(|_| all_go);
            }
            let kept = stored(&edited);
            let written = self.move_image(caller, &kept, &image, moves.as_ref());
            match written.await {
                Ok(written) => {
                    edited.updated_at = written.updated_at;
                    self.let_go(edited.id, moving.removed).await?;
                    return Ok(edited);
                }
                Err(Error::Db(db::Error::Conflict { .. })) => {}
                Err(Error::Db(db::Error::Gone(_))) => return Err(missing()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// The image as a patch leaves it.
    async fn patched(
        &self,
        caller: &Caller,
        image: &Image,
        changes: &[Change],
    ) -> Result<(Image, Moving)> {
        // As in the original, properties that are hidden from the caller do not survive its change.
        let image = &self.shown(caller, image.clone()).await;
        let mut edited = image.clone();
        let mut moving = Moving::default();
        for change in changes {
            self.permit_change(caller, image, change).await?;
            self.permit_touch(caller, &edited, change).await?;
            match change {
                Change::Locations(change) => {
                    self.relocate(caller, &mut edited, change, &mut moving)
                        .await?;
                }
                Change::Replace(Assignment::Tags(tags))
                | Change::Add(Assignment::Tags(tags))
                | Change::AddNew(Assignment::Tags(tags)) => {
                    quota::tags(&self.image_rules(), tags.len())?;
                    change.clone().apply(&mut edited)?;
                }
                change => change.clone().apply(&mut edited)?,
            }
        }
        let added = |image: &Image, name| !image.properties.contains_key(name);
        if edited.properties.keys().any(|name| added(image, name)) {
            quota::properties(&self.image_rules(), &edited)?;
        }
        owns(caller, image)?;
        property::storable(&edited)?;
        Ok((edited, moving))
    }

    /// Loads an image that the caller may change, changes it and writes it back, again from the start where it
    /// changed meanwhile. `refused` words a refusal.
    pub(super) async fn edit(
        &self,
        caller: &Caller,
        id: &str,
        missing: impl Fn() -> Error,
        refused: impl Fn(Error, &Image) -> Error,
        change: impl Fn(&Image) -> Result<Image>,
    ) -> Result<Image> {
        for _ in 0..ATTEMPTS {
            let image = self.known(caller, id).await?.ok_or_else(&missing)?;
            let permitted = self.permit(caller, &image, "modify_image").await;
            let worded = |error| refused(error, &image);
            permitted.map_err(worded)?;
            let mut edited = change(&image).map_err(worded)?;
            edited.updated_at = self.clock.now();
            match self.db.update_image(&stored(&edited), &image).await {
                Ok(written) => {
                    edited.updated_at = written.updated_at;
                    return Ok(edited);
                }
                Err(db::Error::Conflict { .. }) => {}
                Err(db::Error::Gone(_)) => return Err(missing()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    async fn permit_change(&self, caller: &Caller, image: &Image, change: &Change) -> Result<()> {
        match change {
            Change::Locations(change) => self.permit_location_change(caller, image, change).await,
            Change::Replace(Assignment::Owner(_)) if !caller.is_admin => {
                Err(Refusal::OwnerNotYours.into())
            }
            Change::Replace(assignment) | Change::Add(assignment) | Change::AddNew(assignment) => {
                if let Assignment::Visibility(visibility) = assignment {
                    self.permit_visibility(caller, *visibility, &ImageFacts::new(image, caller))
                        .await?;
                }
                self.permit(caller, image, "modify_image").await
            }
            Change::Remove(_) => self.permit(caller, image, "modify_image").await,
        }
    }

    /// Whether the property that a change is about may be changed so. One that is not there is missed later.
    async fn permit_touch(&self, caller: &Caller, image: &Image, change: &Change) -> Result<()> {
        let there = |name: &String| image.properties.contains_key(name);
        let (name, touch) = match change {
            Change::Add(Assignment::Property { name, .. })
            | Change::AddNew(Assignment::Property { name, .. })
                if !there(name) =>
            {
                (name, Touch::Create)
            }
            Change::Add(Assignment::Property { name, .. })
            | Change::Replace(Assignment::Property { name, .. })
                if there(name) =>
            {
                (name, Touch::Update)
            }
            Change::Remove(name) if there(name) => (name, Touch::Delete),
            _ => return Ok(()),
        };
        if self.policy.may_touch(caller, name, touch).await {
            return Ok(());
        }
        Err(Refusal::ProtectedProperty(name.clone()).into())
    }

    async fn permit_location_change(
        &self,
        caller: &Caller,
        image: &Image,
        change: &LocationChange,
    ) -> Result<()> {
        let (policy, verb) = match change {
            LocationChange::Replace(places) if places.is_empty() => {
                return Err(Refusal::NoLocations.into());
            }
            LocationChange::Replace(_) => ("set_image_location", "update"),
            LocationChange::Add(..) => ("set_image_location", "add"),
            LocationChange::Remove(_) => ("delete_image_location", "remove"),
        };
        self.permit(caller, image, policy).await?;
        if self.config.image.show_locations {
            Ok(())
        } else {
            Err(Error::LocationsInvisible(verb))
        }
    }
}
