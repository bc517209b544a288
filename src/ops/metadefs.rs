//! Metadata definitions: who may list them.

use serde_json::Value;

use super::{Error, Glance, Result};
use crate::domain::Caller;
use crate::policy::Target;

impl Glance {
    /// Whether the caller may list namespaces. Who may not even see one hears that there is nothing.
    pub async fn may_list_namespaces(&self, caller: &Caller) -> Result<()> {
        let project = caller.project_id.as_deref();
        let target = Target::from([("project_id", project.map_or(Value::Null, Value::from))]);
        let may = async |action| self.policy.allows(caller, action, &target).await;
        for action in ["get_metadef_namespaces", "list_metadef_resource_types"] {
            if may(action).await {
                continue;
            }
            return Err(if may("get_metadef_namespace").await {
                Error::Forbidden(action)
            } else {
                Error::NotThere
            });
        }
        Ok(())
    }
}
