//! `[database]`

/// Where the metadata is.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `connection`, an SQLAlchemy URL (`sqlite:////path`, drivers after `+` ignored). May hold a password.
    pub connection: String,
    /// `max_pool_size` and `max_overflow`, added.
    pub max_connections: u32,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
