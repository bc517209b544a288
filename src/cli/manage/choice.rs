//! Which of the cached images are listed, and in which order.

use std::cmp::Ordering;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::{Error, Result};
use crate::client::CachedImage;
use crate::config;
use crate::domain::units;

/// What an operator wants to see of a long list.
#[derive(Debug, Default, Args)]
pub struct Choice {
    #[arg(
        long,
        value_name = "FIELD[:asc|desc]",
        help = "Sort by hits, size, last_accessed or last_modified (the most or latest first) or id; the other \
                way around with :asc or :desc"
    )]
    pub sort: Option<Order>,
    /// Only images of so many bytes or more: 500000000, 500MiB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = config::parse_size)]
    pub min_size: Option<u64>,
    /// Only images that nobody has used for so long: 90s, 45m, 12h, 30d.
    #[arg(long, value_name = "AGE", value_parser = units::parse_duration)]
    pub older_than: Option<Duration>,
    /// Only images with so many hits at most.
    #[arg(long, value_name = "HITS")]
    pub max_hits: Option<u64>,
    /// Only images whose ids begin so.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// So many images at most.
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Go on behind this image, the last one of a list in the same order.
    #[arg(long, value_name = "IMAGE_ID", conflicts_with = "all_nodes")]
    pub marker: Option<String>,
}

/// So that one image is chosen like one that has its node beside it.
impl AsRef<CachedImage> for CachedImage {
    fn as_ref(&self) -> &CachedImage {
        self
    }
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    field: Field,
    descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Hits,
    Size,
    LastAccessed,
    LastModified,
    Id,
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (field, direction) = text.split_once(':').unwrap_or((text, ""));
        let field = match field {
            "hits" => Field::Hits,
            "size" => Field::Size,
            "last_accessed" => Field::LastAccessed,
            "last_modified" => Field::LastModified,
            "id" => Field::Id,
            _ => {
                return Err(
                    "hits, size, last_accessed, last_modified and id can be sorted by".into(),
                );
            }
        };
        let descending = match direction {
            "asc" => false,
            "desc" => true,
            "" => field != Field::Id,
            _ => return Err("it is asc or desc that stands behind the colon".into()),
        };
        Ok(Self { field, descending })
    }
}

impl Order {
    fn compare(self, a: &CachedImage, b: &CachedImage) -> Ordering {
        let order = match self.field {
            Field::Hits => a.hits.cmp(&b.hits),
            Field::Size => a.size.cmp(&b.size),
            Field::LastAccessed => a.last_accessed.total_cmp(&b.last_accessed),
            Field::LastModified => a.last_modified.total_cmp(&b.last_modified),
            Field::Id => a.image_id.cmp(&b.image_id),
        };
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        // So that pages follow each other.
        order.then_with(|| a.image_id.cmp(&b.image_id))
    }
}

impl Choice {
    /// Whether it asks for all there is, in the order in which it comes.
    pub fn is_all(&self) -> bool {
        let Self {
            sort,
            min_size,
            older_than,
            max_hits,
            prefix,
            limit,
            marker,
        } = self;
        sort.is_none()
            && min_size.is_none()
            && older_than.is_none()
            && max_hits.is_none()
            && prefix.is_none()
            && limit.is_none()
            && marker.is_none()
    }

    /// The images that are wanted. An image with the marker's id must be among those that the filters let pass.
    pub fn of<T: AsRef<CachedImage>>(
        &self,
        mut images: Vec<T>,
        now: DateTime<Utc>,
    ) -> Result<Vec<T>> {
        let used_before = self.older_than.map(|age| {
            let now = std::time::SystemTime::from(now);
            let since = now
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            since.saturating_sub(age).as_secs_f64()
        });
        images.retain(|image| {
            let image = image.as_ref();
            let used = image.last_accessed.max(image.last_modified);
            self.min_size.is_none_or(|size| image.size >= size)
                && self.max_hits.is_none_or(|hits| image.hits <= hits)
                && used_before.is_none_or(|before| used < before)
                && (self.prefix.as_deref()).is_none_or(|prefix| image.image_id.starts_with(prefix))
        });
        if let Some(order) = self.sort {
            images.sort_by(|a, b| order.compare(a.as_ref(), b.as_ref()));
        }
        if let Some(marker) = &self.marker {
            let at = images
                .iter()
                .position(|image| image.as_ref().image_id == *marker);
            let at = at.ok_or_else(|| Error::NoMarker(marker.clone()))?;
            images.drain(..=at);
        }
        images.truncate(self.limit.unwrap_or(usize::MAX));
        Ok(images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, size: u64, hits: u64, used: f64) -> CachedImage {
        CachedImage {
            image_id: id.to_owned(),
            size,
            hits,
            last_accessed: used,
            last_modified: 0.0,
        }
    }

    fn chosen(choice: &Choice) -> String {
        let images = vec![
            image("b", 5, 1, 100.0),
            image("a", 9, 1, 900.0),
            image("d", 1, 7, 990.0),
            image("c", 5, 0, 0.0),
        ];
        let now = DateTime::from_timestamp(1000, 0).unwrap();
        let chosen = choice.of(images, now).unwrap();
        chosen.iter().map(|image| image.image_id.as_str()).collect()
    }

    fn sorted(by: &str) -> String {
        let sort = Some(by.parse().unwrap());
        chosen(&Choice {
            sort,
            ..Choice::default()
        })
    }

    #[test]
    fn lists_are_sorted_by_what_is_asked_for_and_then_by_id() {
        assert_eq!(chosen(&Choice::default()), "badc");
        assert_eq!(sorted("hits"), "dabc");
        assert_eq!(sorted("size:asc"), "dbca");
        assert_eq!(sorted("last_accessed"), "dabc");
        assert_eq!(sorted("last_modified"), "abcd");
        assert_eq!(sorted("id"), "abcd");
        assert_eq!(sorted("id:desc"), "dcba");
        assert!("name".parse::<Order>().is_err());
        assert!("hits:up".parse::<Order>().is_err());
    }

    #[test]
    fn what_is_not_wanted_is_left_out() {
        let all = Choice::default;
        assert_eq!(
            chosen(&Choice {
                min_size: Some(5),
                ..all()
            }),
            "bac"
        );
        assert_eq!(
            chosen(&Choice {
                max_hits: Some(0),
                ..all()
            }),
            "c"
        );
        let prefix = Some("a".to_owned());
        assert_eq!(chosen(&Choice { prefix, ..all() }), "a");
        let older_than = Some(Duration::from_secs(500));
        assert_eq!(
            chosen(&Choice {
                older_than,
                ..all()
            }),
            "bc"
        );
    }

    #[test]
    fn pages_follow_each_other() {
        let page = |marker: Option<&str>| {
            chosen(&Choice {
                sort: Some("size".parse().unwrap()),
                limit: Some(2),
                marker: marker.map(str::to_owned),
                ..Choice::default()
            })
        };
        assert_eq!(page(None), "ab");
        assert_eq!(page(Some("b")), "cd");
        assert_eq!(page(Some("d")), "");
        let lost = Choice {
            marker: Some("x".to_owned()),
            ..Choice::default()
        };
        assert!(
            lost.of(Vec::<CachedImage>::new(), DateTime::UNIX_EPOCH)
                .is_err()
        );
    }
}
