//! The configured stores, by name.

use std::sync::Arc;

use super::{Result, Store};
use crate::config::StoresConfig;
use crate::domain::{Image, Location};
use crate::stream::{Blob, ByteRange};

/// Every store of this node; one store is a registry of one.
#[derive(Debug, Clone)]
pub struct Registry {}

#[expect(unused_variables, reason = "outline")]
impl Registry {
    pub async fn open(config: &StoresConfig) -> Result<Self> {
        todo!()
    }

    /// The store that new data goes to, and its name.
    pub fn default_store(&self) -> (&str, Arc<dyn Store>) {
        todo!()
    }

    pub fn get(&self, name: &str) -> Option<Arc<dyn Store>> {
        todo!()
    }

    /// The store that keeps what is at `location`.
    pub fn of(&self, location: &Location) -> Result<Arc<dyn Store>> {
        todo!()
    }

    /// Opens an image's data at the first of its locations that can be opened.
    pub async fn read(&self, image: &Image, range: Option<ByteRange>) -> Result<Blob> {
        todo!()
    }
}
