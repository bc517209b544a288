//! The tags of an image, one by one.

use serde_json::json;

use super::access::{may_write, owns};
use super::{Error, Glance, Result, quota};
use crate::domain::property;
use crate::domain::{Caller, Image, Refusal};

impl Glance {
    /// Gives an image a tag. It may bear it already.
    pub async fn add_tag(&self, caller: &Caller, id: &str, tag: &str) -> Result<()> {
        let document = json!({"tags": [tag]});
        (self.image_schema().validate(&document)).map_err(Refusal::from)?;
        may_write(caller)?;
        let missing = || Error::ImageNotFound(id.to_owned());
        let refused = |error, image: &Image| of_tags(error, image, "update");
        self.edit(caller, id, missing, refused, |image| {
            let mut edited = image.clone();
            if !edited.tags.iter().any(|known| known == tag) {
                edited.tags.push(tag.to_owned());
            }
            let too_many = |refusal| Error::TooManyTags {
                image: id.to_owned(),
                refusal,
            };
            quota::tags(&self.image_rules(), edited.tags.len()).map_err(too_many)?;
            property::storable(&edited).map_err(Error::TagRefused)?;
            owns(caller, image)?;
            Ok(edited)
        })
        .await
        .map(drop)
    }

    /// Takes a tag from an image.
    pub async fn remove_tag(&self, caller: &Caller, id: &str, tag: &str) -> Result<()> {
        may_write(caller)?;
        let missing = || Error::ImageNotFound(id.to_owned());
        let refused = |error, image: &Image| of_tags(error, image, "delete");
        self.edit(caller, id, missing, refused, |image| {
            let mut edited = image.clone();
            edited.tags.retain(|known| known != tag);
            if edited.tags.len() == image.tags.len() {
                return Err(Error::NotThere);
            }
            owns(caller, image)?;
            Ok(edited)
        })
        .await
        .map(drop)
    }
}

/// That an image is another's, in the words of the calls that are about tags.
fn of_tags(error: Error, image: &Image, action: &'static str) -> Error {
    match error {
        Error::NotYours => Error::TagsNotYours {
            action,
            image: image.id.to_string(),
        },
        other => other,
    }
}
