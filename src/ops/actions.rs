//! Taking images out of service and back.

use super::access::{may_write, owns};
use super::{Error, Glance, Result};
use crate::db;
use crate::domain::{Caller, Refusal, Status};

impl Glance {
    /// Takes an active image out of service: administrators alone can read its data then.
    pub async fn deactivate_image(&self, caller: &Caller, id: &str) -> Result<()> {
        self.switch(
            caller,
            id,
            "deactivate",
            Status::Active,
            Status::Deactivated,
        )
        .await
    }

    /// Puts a deactivated image back in service.
    pub async fn reactivate_image(&self, caller: &Caller, id: &str) -> Result<()> {
        self.switch(
            caller,
            id,
            "reactivate",
            Status::Deactivated,
            Status::Active,
        )
        .await
    }

    async fn switch(
        &self,
        caller: &Caller,
        id: &str,
        action: &'static str,
        from: Status,
        to: Status,
    ) -> Result<()> {
        may_write(caller)?;
        let image = self.authorized(caller, id, action).await?;
        if image.status == to {
            return Ok(());
        }
        if image.status != from {
            let status = image.status;
            return Err(Refusal::WrongStatus { action, status }.into());
        }
        owns(caller, &image)?;
        match (self.db)
            .set_status(image.id, &[from], to, self.clock.now())
            .await
        {
            Ok(_) => Ok(()),
            Err(db::Error::Conflict { .. }) => Err(Error::Conflict),
            Err(db::Error::Gone(_)) => Err(Error::NoSuchImage(id.to_owned())),
            Err(error) => Err(error.into()),
        }
    }
}
