//! Finding an image that a caller may see, and asking whether it may do what it wants.

use super::{Error, Glance, Result};
use crate::domain::{Caller, Image, ImageId};
use crate::policy::Target;

impl Glance {
    /// The image, where the caller may see it and the policy lets it do `action`.
    pub(super) async fn authorized(
        &self,
        caller: &Caller,
        id: ImageId,
        action: &'static str,
    ) -> Result<Image> {
        let image = self.db.image(id).await?;
        let image = image.ok_or_else(|| Error::NoSuchImage(id.to_string()))?;
        if self.policy.allows(caller, action, &Target::new()) {
            Ok(image)
        } else {
            Err(Error::Forbidden(action))
        }
    }
}
