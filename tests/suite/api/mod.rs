//! The API, as clients see it.

mod cache;
mod conditions;
mod data;
mod formats;
mod identity;
mod images;
mod lessons;
mod limits;
mod location_calls;
mod locations;
mod members;
mod metrics;
mod patch;
mod policy;
mod properties;
mod quota;
mod remote_policy;
mod routes;
mod stage;
mod stores;
mod tasks;
mod throttle;

use crate::support::Origin;

/// A file store, and one that reads from web servers.
const WEB: &str = "\
[glance_store]
stores = file, http
default_store = file
filesystem_store_datadir = {dir}/images
[import_filtering_opts]
allowed_ports = [{port}]
";

/// The same where clients may name this one.
fn web(origin: &Origin) -> String {
    let allowed = format!("{WEB}allowed_hosts = [127.0.0.1]\n");
    allowed.replace("{port}", &origin.port().to_string())
}
