//! Import requests: whether they say what is to be done.

use serde_json::Value;

use super::resource::Resource;
use super::{Error, Glance, Result};
use crate::domain::Caller;
use crate::domain::literal::literal;

impl Glance {
    /// Refuses a request that names no import method of this site, or of a project that has too much already.
    pub async fn check_import(&self, caller: &Caller, document: &Value) -> Result<()> {
        let refused = |sentence: &str| Error::ImportRefused(sentence.to_owned());
        let member = |name: &str| document.get(name);
        let method =
            member("method").ok_or_else(|| refused("Import request requires a 'method' field."))?;
        let name = (method.get("name"))
            .ok_or_else(|| refused("Import request requires a 'name' field."))?;
        let methods = &self.config.image.import_methods;
        if !methods.iter().any(|method| name == method) {
            let name = name.as_str().map_or_else(|| literal(name), str::to_owned);
            let sentence = format!("Unknown import method name '{name}'.");
            return Err(Error::ImportRefused(sentence));
        }
        for flag in ["all_stores_must_succeed", "all_stores"] {
            if member(flag).is_some_and(|value| !value.is_boolean()) {
                let sentence = format!("'{flag}' must be boolean value only");
                return Err(Error::ImportRefused(sentence));
            }
        }
        self.check_limit(caller, Resource::SizeTotal, None).await
    }
}
