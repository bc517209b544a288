//! How much an image may carry. A limit below zero is none.

use crate::config::ImageConfig;
use crate::domain::property::OWN_NAMESPACE;
use crate::domain::{Image, Refusal};

type Checked = std::result::Result<(), Refusal>;

/// The custom properties, without those of the service's own.
pub(super) fn properties(config: &ImageConfig, image: &Image) -> Checked {
    let names = image.properties.keys();
    let custom = names
        .filter(|name| !name.starts_with(OWN_NAMESPACE))
        .count();
    within("properties", custom, config.property_quota)
}

/// The tags as they are named: one that is named twice counts twice, as in the original.
pub(super) fn tags(config: &ImageConfig, named: usize) -> Checked {
    within("tags", named, config.tag_quota)
}

pub(super) fn members(config: &ImageConfig, attempted: usize) -> Checked {
    within("members for this image", attempted, config.member_quota)
}

/// The places of its data.
pub(super) fn locations(config: &ImageConfig, attempted: usize) -> Checked {
    within("locations", attempted, config.location_quota)
}

fn within(what: &'static str, attempted: usize, maximum: i64) -> Checked {
    let allowed = usize::try_from(maximum).unwrap_or(usize::MAX);
    if attempted <= allowed {
        return Ok(());
    }
    Err(Refusal::TooMany {
        what,
        attempted,
        maximum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_what_may_just_be_reached() {
        assert_eq!(within("tags", 3, 3), Ok(()));
        let refusal = within("tags", 4, 3).expect_err("one too many");
        assert_eq!(
            refusal.to_string(),
            "The limit has been exceeded on the number of allowed image tags. Attempted: 4, Maximum: 3"
        );
    }

    #[test]
    fn a_negative_limit_is_none() {
        assert_eq!(within("tags", 1_000_000, -1), Ok(()));
    }
}
