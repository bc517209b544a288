//! The images that a rule means, out of the database, page by page.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::config::PrefetchRule;
use crate::db::{self, Db};
use crate::domain::query::{Direction, Filter, ImageQuery, SortKey, Viewer, VisibilityFilter};
use crate::domain::{Image, Status};

/// Images of one page.
const PAGE: u32 = 500;

/// Gives every image that the rule means to `take`, the latest first, until that has enough.
pub(super) async fn each(
    db: &Db,
    rule: &PrefetchRule,
    mut take: impl FnMut(&Image, String) -> ControlFlow<()>,
) -> db::Result<()> {
    let mut choice = Choice::of(rule);
    let mut wanted = query(rule);
    let mut page: Vec<Image> = Vec::new();
    while let Some(more) = next(db, &mut wanted, &page).await? {
        page = more;
        for image in &page {
            if let Some(why) = choice.reason(image)
                && take(image, why).is_break()
            {
                return Ok(());
            }
            if choice.is_full() {
                return Ok(());
            }
        }
        if page.len() < wanted.limit as usize {
            break;
        }
    }
    Ok(())
}

/// The page after that one. An image that was deleted meanwhile is no marker: then the one before it is.
async fn next(
    db: &Db,
    wanted: &mut ImageQuery,
    before: &[Image],
) -> db::Result<Option<Vec<Image>>> {
    if before.is_empty() {
        return db.images(wanted).await;
    }
    for image in before.iter().rev() {
        wanted.marker = Some(image.id);
        if let Some(page) = db.images(wanted).await? {
            return Ok(Some(page));
        }
    }
    Ok(None)
}

/// What of the rule the database can judge.
fn query(rule: &PrefetchRule) -> ImageQuery {
    let mut filters = vec![Filter::Text("status", Status::Active.to_string())];
    filters.extend(rule.tags.iter().cloned().map(Filter::Tag));
    let properties = rule.properties.iter().cloned();
    filters.extend(properties.map(|(name, value)| Filter::Property(name, value)));
    if !rule.projects.is_empty() {
        filters.push(Filter::In("owner", rule.projects.clone()));
    }
    // Without families one query will do.
    let few = rule.newest.filter(|_| rule.family.is_none());
    let few = few.and_then(|newest| u32::try_from(newest).ok());
    ImageQuery {
        viewer: Viewer::Administrator,
        filters,
        visibility: rule
            .visibility
            .map_or(VisibilityFilter::All, VisibilityFilter::Only),
        sort: vec![(SortKey::CreatedAt, Direction::Desc)],
        limit: few.unwrap_or(PAGE).min(PAGE),
        ..ImageQuery::default()
    }
}

/// Whether the rule may mean the image: whether it does may depend on others, which are newer.
pub(super) fn may_mean(rule: &PrefetchRule, image: &Image) -> bool {
    let has =
        |(name, value): &(String, String)| image.properties.get(name) == Some(&Some(value.clone()));
    let is_of = |projects: &[String]| {
        let owner = image.owner.as_ref();
        projects.is_empty() || owner.is_some_and(|owner| projects.contains(owner))
    };
    image.status == Status::Active
        && !image.hidden
        && rule.tags.iter().all(|tag| image.tags.contains(tag))
        && rule.properties.iter().all(has)
        && rule.visibility.is_none_or(|only| only == image.visibility)
        && is_of(&rule.projects)
        && rule
            .family
            .as_ref()
            .is_none_or(|family| family_of(image, family).is_some())
}

fn family_of<'i>(image: &'i Image, family: &str) -> Option<&'i str> {
    image.properties.get(family)?.as_deref()
}

/// The newest of each family, out of images that come with the latest first.
struct Choice<'r> {
    rule: &'r PrefetchRule,
    /// What all images of the rule have in common.
    common: String,
    families: HashMap<String, u64>,
    chosen: u64,
}

impl<'r> Choice<'r> {
    fn of(rule: &'r PrefetchRule) -> Self {
        let mut common: Vec<String> = Vec::new();
        common.extend(rule.tags.iter().map(|tag| format!("tag {tag}")));
        let properties = rule.properties.iter();
        common.extend(properties.map(|(name, value)| format!("{name}={value}")));
        common.extend(rule.visibility.map(|visibility| visibility.to_string()));
        if !rule.projects.is_empty() {
            common.push(format!("project {}", rule.projects.join(" or ")));
        }
        Self {
            rule,
            common: common.join(", "),
            families: HashMap::new(),
            chosen: 0,
        }
    }

    /// Why the image is meant; none where it is not.
    fn reason(&mut self, image: &Image) -> Option<String> {
        let number = match &self.rule.family {
            None => {
                self.chosen += 1;
                self.chosen
            }
            Some(family) => {
                let value = family_of(image, family)?;
                let number = self.families.entry(value.to_owned()).or_default();
                *number += 1;
                *number
            }
        };
        if self.rule.newest.is_some_and(|newest| number > newest) {
            return None;
        }
        let place = self.rule.newest.map(|newest| {
            let family = self
                .rule
                .family
                .as_ref()
                .and_then(|family| Some(format!(" of {family}={}", family_of(image, family)?)));
            format!(
                "{number} of the newest {newest}{}",
                family.unwrap_or_default()
            )
        });
        let parts = [Some(self.common.clone()), place];
        let parts: Vec<String> = (parts.into_iter().flatten())
            .filter(|part| !part.is_empty())
            .collect();
        Some(if parts.is_empty() {
            "every image".to_owned()
        } else {
            parts.join(", ")
        })
    }

    /// Whether there can be no more.
    fn is_full(&self) -> bool {
        self.rule.family.is_none() && self.rule.newest.is_some_and(|newest| self.chosen >= newest)
    }
}
