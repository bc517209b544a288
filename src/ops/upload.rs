//! Taking an image's data in.

use super::{Glance, Result};
use crate::domain::{Caller, ImageId};
use crate::stream::ByteStream;

#[expect(unused_variables, reason = "outline")]
impl Glance {
    /// Takes an image's data in: `queued` becomes `saving`, then `active`, or `queued` again where it fails.
    /// `size` is what the client declared.
    pub async fn upload(
        &self,
        caller: &Caller,
        id: ImageId,
        bytes: ByteStream,
        size: Option<i64>,
    ) -> Result<()> {
        todo!()
    }
}
