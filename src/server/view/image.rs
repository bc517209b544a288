//! Images as clients see them.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::domain::checksum::HashAlgorithm;
use crate::domain::property::STAGE_HOST;
use crate::domain::{Caller, Image, Location, Status, isotime};
use crate::ops::images::Page;
use crate::server::extract::Query;

/// Properties of the service's own that are nobody's business.
const UNSEEN: [&str; 2] = [STAGE_HOST, "os_glance_hash_op_host"];

/// An image's document.
pub(in crate::server) fn image(image: &Image, caller: &Caller, config: &Config) -> Value {
    let mut view: Map<String, Value> = (image.properties.iter())
        .filter(|(name, _)| !UNSEEN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), property(name, value.as_deref(), config)))
        .collect();
    let secure = image.checksums.secure.as_ref();
    let href = format!("/v2/images/{}", image.id);
    let mut put = |name: &str, value: Value| view.insert(name.to_owned(), value);
    put("name", json!(image.name));
    put("disk_format", json!(image.disk_format));
    put("container_format", json!(image.container_format));
    put("visibility", json!(image.visibility.as_str()));
    put("size", json!(image.size));
    put("virtual_size", json!(image.virtual_size));
    put("status", json!(image.status.as_str()));
    put("checksum", json!(image.checksums.md5));
    put("protected", json!(image.protected));
    put("min_ram", json!(image.min_ram));
    put("min_disk", json!(image.min_disk));
    put("owner", json!(image.owner));
    put("os_hidden", json!(image.hidden));
    put(
        "os_hash_algo",
        json!(image.checksums.algorithm().map(HashAlgorithm::as_str)),
    );
    put("os_hash_value", json!(secure.map(|hash| &hash.value)));
    put("id", json!(image.id.as_str()));
    put("created_at", json!(isotime::format(image.created_at)));
    put("updated_at", json!(isotime::format(image.updated_at)));
    let places = places(image, caller);
    if config.image.show_locations {
        put("locations", places.iter().map(location).collect());
    }
    if let (true, Some(best)) = (config.image.show_direct_url, heaviest(places, config)) {
        put("direct_url", json!(best.url));
    }
    put("tags", json!(image.tags));
    put("self", json!(href));
    put("file", json!(format!("{href}/file")));
    put("schema", json!("/v2/schemas/image"));
    if config.stores.multi
        && let Some(stores) = stores(places)
    {
        put("stores", json!(stores));
    }
    Value::Object(view)
}

/// A property without a value is an empty one, unless the site says that it may be none.
fn property(name: &str, value: Option<&str>, config: &Config) -> Value {
    match value {
        None if config.image.site.describes(name) => Value::Null,
        value => value.unwrap_or_default().into(),
    }
}

/// A page of a list, with links to the first and the next one.
pub(in crate::server) fn page(
    page: &Page,
    query: &Query,
    caller: &Caller,
    config: &Config,
) -> Value {
    let mut links = query.for_links();
    let images: Vec<Value> = (page.images.iter())
        .map(|one| image(one, caller, config))
        .collect();
    let mut view = json!({
        "images": images,
        "first": links.link("/v2/images"),
        "schema": "/v2/schemas/images",
    });
    if let Some(next) = page.next {
        links.0.push(("marker".to_owned(), next.to_string()));
        view["next"] = links.link("/v2/images").into();
    }
    view
}

/// Where the data is, as far as the caller may know: of a deactivated image administrators alone.
fn places<'a>(image: &'a Image, caller: &Caller) -> &'a [Location] {
    if image.status == Status::Deactivated && !caller.is_admin {
        &[]
    } else {
        &image.locations
    }
}

/// The location in the heaviest store; of equals the first.
fn heaviest<'a>(places: &'a [Location], config: &Config) -> Option<&'a Location> {
    if !config.stores.multi {
        return places.first();
    }
    let stores = &config.stores.stores;
    let weight = |place: &&Location| {
        let store = stores
            .iter()
            .find(|store| Some(store.id.as_str()) == place.store());
        store.map_or(0, |store| store.weight)
    };
    // Of equals the last one wins, which from behind is the first.
    places.iter().rev().max_by_key(weight)
}

/// A place of an image's data, with what its client said beside it where this is the answer to that.
pub(in crate::server) fn location(location: &Location) -> Value {
    let mut view = Map::new();
    view.insert("url".to_owned(), json!(location.url));
    view.insert("metadata".to_owned(), json!(location.metadata));
    view.extend(location.remarks.clone());
    Value::Object(view)
}

/// The stores that hold the data, by name.
fn stores(places: &[Location]) -> Option<String> {
    let names: Vec<&str> = (places.iter())
        .filter_map(|place| place.metadata.get("store")?.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join(","))
}
