//! Where the configuration stands.

/// What a program was told about its configuration.
#[derive(Debug, Clone)]
pub struct Sources {}
