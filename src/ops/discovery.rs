//! What clients can find out about this site.

use super::{Error, Glance, Result};
use crate::config::stores::StoreConfig;
use crate::domain::Caller;
use crate::policy::Target;

impl Glance {
    /// The stores that clients may name. A site with one store names none.
    pub fn stores_to_choose(&self) -> Result<&[StoreConfig]> {
        if self.config.stores.multi {
            Ok(&self.config.stores.stores)
        } else {
            Err(Error::SingleStore)
        }
    }

    /// The same with their inner workings, for those who may know.
    pub async fn stores_in_detail(&self, caller: &Caller) -> Result<&[StoreConfig]> {
        let stores = self.stores_to_choose()?;
        self.permit_plainly(caller, "stores_info_detail", &Target::new())
            .await?;
        Ok(stores)
    }
}
