//! Which images are fetched ahead of time without being asked for: `[image_cache_prefetch:NAME]`.

use std::cmp::Reverse;
use std::num::NonZeroU64;

use super::error::{Error, Problems};
use super::ini::Settings;
use super::options;
use super::schedule::Schedule;
use crate::domain::Visibility;

/// Less than this would take a store that sends large pieces for one that is silent.
const LEAST_BANDWIDTH: u64 = 64 * 1024;

/// One rule: images that are all of what it says are to be on this node.
#[derive(Debug, Clone)]
pub struct PrefetchRule {
    pub name: String,
    /// `tag`: the image bears all of them.
    pub tags: Vec<String>,
    /// `property`: custom properties that the image has, with these values.
    pub properties: Vec<(String, String)>,
    pub visibility: Option<Visibility>,
    /// `project`: it is of one of them; empty is any.
    pub projects: Vec<String>,
    /// Only so many, the latest that were created: of all, or of each family.
    pub newest: Option<u64>,
    /// The custom property whose values make families. An image without it is of none, and is not meant.
    pub family: Option<String>,
    /// When to look.
    pub schedule: Option<Schedule>,
    /// `on = upload`: to look when an image becomes active, here or on another node, and at the start.
    pub on_upload: bool,
    /// Bytes a second of all that this process fetches for the rule together; none is no limit.
    pub bandwidth: Option<NonZeroU64>,
    /// Images that this process fetches for it at once; `[image_cache] prefetch_workers` holds for all rules together.
    pub concurrency: Option<NonZeroU64>,
    /// Whose images come first, and keep their room.
    pub priority: i64,
}

impl PrefetchRule {
    /// A rule that means every image, and never looks by itself.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tags: Vec::new(),
            properties: Vec::new(),
            visibility: None,
            projects: Vec::new(),
            newest: None,
            family: None,
            schedule: None,
            on_upload: false,
            bandwidth: None,
            concurrency: None,
            priority: 0,
        }
    }

    /// Every rule, the most important first.
    pub(super) fn all(settings: &Settings) -> Result<Vec<Self>, Error> {
        let mut problems = Problems::default();
        let sections = settings.rule_sections().into_iter();
        let mut rules: Vec<Self> = sections
            .filter_map(|section| problems.note(Self::from(settings, section)))
            .collect();
        problems.none()?;
        rules.sort_by_key(|rule| Reverse(rule.priority));
        Ok(rules)
    }

    fn from(settings: &Settings, section: &str) -> Result<Self, Error> {
        let options = settings.section(section);
        for selector in ["tag", "property", "project", "visibility", "family"] {
            // Left empty it would mean every image.
            if settings.entry(section, selector).is_some() && options.text(selector)?.is_none() {
                return Err(options.refuse(selector, "set, or left out where it does not matter"));
            }
        }
        let properties = options.list("property")?;
        let properties = properties.iter().map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        });
        let properties: Option<Vec<_>> = properties.collect();
        let must = "NAME=VALUE, or several of these with commas between them";
        let properties = properties.ok_or_else(|| options.refuse("property", must))?;
        let schedule = options.read("schedule", Schedule::parse)?;
        let on_upload = options.text("on")?.is_some();
        if schedule.is_none() && !on_upload {
            return Err(Error::Missing {
                section: section.to_owned(),
                option: "schedule",
                must: "a schedule as in crontab(5), unless on = upload says when",
            });
        }
        let newest: u64 = options.number("newest")?;
        let family = options.text("family")?;
        if family.is_some() && newest == 0 {
            return Err(options.refuse("family", "left out where newest is not set"));
        }
        let bandwidth = options.rate("bandwidth")?;
        if (1..LEAST_BANDWIDTH).contains(&bandwidth) {
            return Err(options.refuse("bandwidth", "64KiB a second or more, or 0 for no limit"));
        }
        // The table of options lets nothing else pass.
        let visibility = options.string("visibility")?.to_lowercase().parse().ok();
        Ok(Self {
            name: options::rule_of(section).unwrap_or_default().to_owned(),
            tags: options.list("tag")?,
            properties,
            visibility,
            projects: options.list("project")?,
            newest: (newest > 0).then_some(newest),
            family,
            schedule,
            on_upload,
            bandwidth: NonZeroU64::new(bandwidth),
            concurrency: NonZeroU64::new(options.number("concurrency")?),
            priority: options.number("priority")?,
        })
    }

    /// When it is looked for images: `on upload, at "0 3 * * *"`.
    #[must_use]
    pub fn when(&self) -> String {
        let on = self.on_upload.then(|| "on upload".to_owned());
        let at = self
            .schedule
            .as_ref()
            .map(|times| format!("at \"{times}\""));
        let both: Vec<String> = [on, at].into_iter().flatten().collect();
        both.join(", ")
    }
}
