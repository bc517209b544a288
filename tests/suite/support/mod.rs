//! What tests stand on.

mod cloud;
mod database;
mod origin;

use glance::config::DatabaseConfig;
use glance::db::make_schema;

pub(crate) use cloud::{Answer, Client, Cloud};
pub(crate) use database::{Database, mysql, postgres};
pub(crate) use origin::Origin;
