//! `list-cached` and `list-queued`.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Options;
use super::choice::Choice;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::table::{self, Align};
use crate::cli::{Exit, Result};
use crate::client::CachedImage;
use crate::clock::Clock;
use crate::domain::units;

pub fn cached(
    place: &Place,
    choice: &Choice,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let now = Clock::system().now();
    let images = place.cached()?;
    let all = images.len();
    let images = choice.of(images, now)?;
    if options.json {
        console.json(&json!({ "cached_images": images }))?;
    } else if all == 0 {
        console.result("No cached images.")?;
    } else if images.is_empty() {
        console.result(format!("None of {all} cached images is like that."))?;
    } else {
        let found = images.len();
        console.result(if choice.is_all() {
            format!("Found {found} cached images...")
        } else {
            format!("Found {found} of {all} cached images...")
        })?;
        console.result(cached_table(&images, options.human.then_some(now)))?;
    }
    Ok(Exit::Success)
}

pub fn queued(place: &Place, options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let images = place.queued()?;
    if options.json {
        console.json(&json!({ "queued_images": images }))?;
    } else if images.is_empty() {
        console.result("No queued images.")?;
    } else {
        console.result(format!("Found {} queued images...", images.len()))?;
        let rows: Vec<_> = images.into_iter().map(|id| vec![id]).collect();
        console.result(table::draw(&[("ID", Align::Center)], &rows))?;
    }
    Ok(Exit::Success)
}

fn cached_table(images: &[CachedImage], now: Option<DateTime<Utc>>) -> String {
    let rows: Vec<_> = images.iter().map(|image| row(image, now)).collect();
    table::draw(&columns(now.is_some()), &rows)
}

/// The columns of the listing, for scripts or for people.
pub(super) fn columns(human: bool) -> [(&'static str, Align); 5] {
    let (accessed, modified, align) = if human {
        ("Last Accessed", "Last Modified", Align::Right)
    } else {
        ("Last Accessed (UTC)", "Last Modified (UTC)", Align::Center)
    };
    [
        ("ID", Align::Center),
        (accessed, align),
        (modified, align),
        ("Size", Align::Right),
        ("Hits", Align::Right),
    ]
}

/// A row of it; with a time for people, who get units and distances.
pub(super) fn row(image: &CachedImage, now: Option<DateTime<Utc>>) -> Vec<String> {
    let time = |seconds| match now {
        Some(now) => units::ago(seconds, now),
        None => units::utc(seconds),
    };
    vec![
        image.image_id.clone(),
        accessed(image, time),
        time(image.last_modified),
        match now {
            Some(_) => units::size(image.size),
            None => image.size.to_string(),
        },
        image.hits.to_string(),
    ]
}

fn accessed(image: &CachedImage, tell: impl Fn(f64) -> String) -> String {
    if image.last_accessed > 0.0 {
        tell(image.last_accessed)
    } else {
        "N/A".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Vec<CachedImage> {
        vec![
            CachedImage {
                image_id: "6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9".into(),
                size: 10_485_760,
                hits: 3,
                last_accessed: 1_700_000_000.5,
                last_modified: 1_700_000_000.0,
            },
            CachedImage {
                image_id: "7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9".into(),
                size: 1,
                hits: 0,
                last_accessed: 0.0,
                last_modified: 1_699_990_000.0,
            },
        ]
    }

    #[test]
    fn the_listing_has_the_columns_that_scripts_know() {
        let expected = "\
+--------------------------------------+----------------------------+---------------------+----------+------+
|                  ID                  |    Last Accessed (UTC)     | Last Modified (UTC) |     Size | Hits |
+--------------------------------------+----------------------------+---------------------+----------+------+
| 6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 | 2023-11-14T22:13:20.500000 | 2023-11-14T22:13:20 | 10485760 |    3 |
| 7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 |            N/A             | 2023-11-14T19:26:40 |        1 |    0 |
+--------------------------------------+----------------------------+---------------------+----------+------+";
        assert_eq!(cached_table(&images(), None), expected);
    }

    #[test]
    fn people_get_units_and_distances() {
        let now = DateTime::from_timestamp(1_700_000_060, 0).unwrap();
        let expected = "\
+--------------------------------------+---------------+---------------+----------+------+
|                  ID                  | Last Accessed | Last Modified |     Size | Hits |
+--------------------------------------+---------------+---------------+----------+------+
| 6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 |  1 minute ago |  1 minute ago | 10.0 MiB |    3 |
| 7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 |           N/A |   2 hours ago |      1 B |    0 |
+--------------------------------------+---------------+---------------+----------+------+";
        assert_eq!(cached_table(&images(), Some(now)), expected);
    }
}
