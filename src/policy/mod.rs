//! Whether a caller may do what it asks: oslo.policy's language and the original's rules.

mod facts;

pub use facts::{Facts, ImageFacts, Target};

use crate::config::PolicyConfig;
use crate::domain::Caller;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("policy file {file}: {what}")]
    File { file: String, what: String },
}

/// The rules in force. Cheap to clone; an edited file counts from the next question on.
#[derive(Debug, Clone)]
pub struct Policy {}

#[expect(unused_variables, reason = "outline")]
impl Policy {
    pub fn load(config: &PolicyConfig) -> Result<Self, Error> {
        todo!()
    }

    /// Whether `caller` may do `action` to `target`. An action without a rule is judged by `default`.
    pub fn allows(&self, caller: &Caller, action: &str, facts: &dyn Facts) -> bool {
        todo!()
    }
}
