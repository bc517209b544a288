//! Whether a caller may do what it asks: oslo.policy's language and the original's rules.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::PolicyConfig;
use crate::domain::Caller;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("policy file {file}: {what}")]
    File { file: String, what: String },
}

/// What a rule is asked about: `project_id`, `owner`, `visibility`, `member_id`, ... for `%(name)s`.
pub type Target = BTreeMap<&'static str, Value>;

/// The rules in force. Cheap to clone; an edited file counts from the next question on.
#[derive(Debug, Clone)]
pub struct Policy {}

#[expect(unused_variables, reason = "outline")]
impl Policy {
    pub fn load(config: &PolicyConfig) -> Result<Self, Error> {
        Ok(Self {})
    }

    /// Whether the rules make `caller` an administrator.
    pub fn is_admin(&self, caller: &Caller) -> bool {
        caller.roles.iter().any(|role| role == "admin")
    }

    /// Whether `caller` may do `action` to `target`. An action without a rule is judged by `default`.
    pub fn allows(&self, caller: &Caller, action: &'static str, target: &Target) -> bool {
        todo!()
    }
}
