//! What tests stand on.

mod child;
mod client;
mod cloud;
mod database;
mod exposition;
mod judge;
mod keystone;
mod limits;
mod memcached;
mod origin;

use glance::config::DatabaseConfig;
use glance::db::make_schema;

pub(crate) use child::{
    API, CACHE_MANAGE, CLEANER, Ended, MANAGE, PATIENCE, PREFETCHER, PRUNER, Running, eventually,
    plain, run, until, unused_port, wait_for,
};
pub(crate) use client::{Answer, Client};
pub(crate) use cloud::Cloud;
pub(crate) use database::{Database, mysql, postgres};
pub(crate) use exposition::Exposition;
pub(crate) use judge::{Asked, Judge, certificate};
pub(crate) use keystone::{FakeKeystone, Mood};
pub(crate) use limits::{ENDPOINT, Limited};
pub(crate) use memcached::FakeMemcached;
pub(crate) use origin::Origin;
