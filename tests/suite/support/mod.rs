//! What tests stand on.

mod cloud;
mod database;

use glance::config::DatabaseConfig;
use glance::db::make_schema;

pub(crate) use cloud::{Answer, Cloud};
pub(crate) use database::{Database, mysql, postgres};
