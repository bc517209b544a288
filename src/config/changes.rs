//! What differs between two readings of a configuration, and what of it counts at once.

use std::collections::BTreeMap;

use super::Loaded;
use super::ini::Settings;
use super::options::{self, Kind};

/// What SIGHUP takes over, by section and option.
const LIVE: [(&str, &str); 18] = [
    ("DEFAULT", "api_limit_max"),
    ("DEFAULT", "debug"),
    ("DEFAULT", "default_log_levels"),
    ("DEFAULT", "delayed_delete"),
    ("DEFAULT", "hashing_algorithm"),
    ("DEFAULT", "image_cache_max_size"),
    ("DEFAULT", "image_cache_stall_time"),
    ("DEFAULT", "image_location_quota"),
    ("DEFAULT", "image_member_quota"),
    ("DEFAULT", "image_property_quota"),
    ("DEFAULT", "image_size_cap"),
    ("DEFAULT", "image_tag_quota"),
    ("DEFAULT", "limit_param_default"),
    ("DEFAULT", "user_storage_quota"),
    ("image_cache", "min_free_space"),
    ("image_format", "gpt_safety_checks_nonfatal"),
    ("image_format", "require_image_format_match"),
    ("image_format", "vmdk_allowed_types"),
];

/// What was written in a configuration, to compare another one with.
#[derive(Clone)]
pub struct Written(BTreeMap<(String, String), Vec<String>>);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be secrets.
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl<T> Loaded<T> {
    /// What was written, by the names that options have now.
    pub fn written(&self) -> Written {
        Written::of(&self.settings)
    }
}

fn known_kind(section: &str, option: &str) -> Option<Kind> {
    let known = options::find(section, option).or_else(|| options::find("glance_store", option));
    known.map(|known| known.kind)
}

impl Written {
    fn of(settings: &Settings) -> Self {
        let mut written = BTreeMap::<_, Vec<String>>::new();
        for entry in settings.entries() {
            let known = options::find_deprecated(&entry.section, &entry.option);
            let name = known.map_or_else(
                || (entry.section.clone(), entry.option.clone()),
                |known| (known.section.to_owned(), known.option.to_owned()),
            );
            let texts = written.entry(name).or_default();
            if known_kind(&entry.section, &entry.option) != Some(Kind::Multi) {
                // The last one counts: that another stands before it is no difference.
                texts.clear();
            }
            texts.push(entry.text.clone());
        }
        Self(written)
    }

    /// The options that differ in `now` and count from the next start only, as `[section] option`.
    pub fn waiting(&self, now: &Self) -> Vec<String> {
        let mut names: Vec<_> = self.0.keys().chain(now.0.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter(|name| self.0.get(name) != now.0.get(name))
            .filter(|(section, option)| !LIVE.contains(&(section.as_str(), option.as_str())))
            .map(|(section, option)| format!("[{section}] {option}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_over_are_options_that_there_are() {
        for (section, option) in LIVE {
            assert!(options::find(section, option).is_some(), "{option}");
        }
    }
}
