//! New images, for the rules that want to know of them: told by an upload to this node, or seen in the database.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::select;
use crate::config::PrefetchRule;
use crate::db::{self, Db};
use crate::domain::query::{Comparison, Direction, Filter, ImageQuery, SortKey, VisibilityFilter};
use crate::domain::{Image, ImageId, Status};
use crate::ops::Glance;

/// How often to look into the database.
const LOOK: Duration = Duration::from_secs(10);

/// How far clocks of nodes may differ: changes so old are looked at once more.
const SLACK: TimeDelta = TimeDelta::seconds(60);

/// Images of one page.
const PAGE: u32 = 500;

impl Glance {
    /// Runs the rules that wait for uploads: once, and whenever there is an image that they may mean, until
    /// `stop` is cancelled.
    pub async fn follow_uploads(&self, stop: CancellationToken) {
        let rules = self.prefetch_rules().iter().filter(|rule| rule.on_upload);
        let rules: Vec<&PrefetchRule> = rules.collect();
        if rules.is_empty() {
            return;
        }
        stop.run_until_cancelled(self.follow(&rules)).await;
    }

    async fn follow(&self, rules: &[&PrefetchRule]) {
        let mut news = News::since(self.clock.now());
        // What came while nobody looked.
        let mut due: Vec<&PrefetchRule> = rules.to_vec();
        let mut failing = false;
        loop {
            let mut failed = Vec::new();
            for rule in due.drain(..) {
                if let Err(error) = self.try_rule(&rule.name).await {
                    if !failing {
                        tracing::warn!("rule {} cannot look for images: {error}", rule.name);
                    }
                    failed.push(rule);
                }
            }
            failing = !failed.is_empty();
            due = failed;
            // Told, or time to look.
            let _ = timeout(LOOK, self.rules().arrived.notified()).await;
            match news.read(&self.db, self.clock.now()).await {
                Ok(images) => {
                    let concerned = rules.iter().filter(|rule| {
                        let known = due.iter().any(|other| other.name == rule.name);
                        !known && images.iter().any(|image| select::may_mean(rule, image))
                    });
                    let concerned: Vec<_> = concerned.copied().collect();
                    due.extend(concerned);
                }
                Err(error) => tracing::debug!("new images are not seen: {error}"),
            }
        }
    }
}

/// What changed in the database since it was read last.
struct News {
    read: DateTime<Utc>,
    /// Changes that may be seen again.
    seen: HashMap<ImageId, DateTime<Utc>>,
}

impl News {
    fn since(now: DateTime<Utc>) -> Self {
        Self {
            read: now,
            seen: HashMap::new(),
        }
    }

    /// The active images that changed, each change once.
    async fn read(&mut self, db: &Db, now: DateTime<Utc>) -> db::Result<Vec<Image>> {
        let since = self.read - SLACK;
        let mut wanted = ImageQuery {
            filters: vec![
                Filter::Text("status", Status::Active.to_string()),
                Filter::Time("updated_at", Comparison::Gte, since),
            ],
            visibility: VisibilityFilter::All,
            sort: vec![(SortKey::UpdatedAt, Direction::Asc)],
            limit: PAGE,
            ..ImageQuery::default()
        };
        let mut changed = Vec::new();
        // One that is deleted between two pages ends the reading: the rest comes next time.
        while let Some(page) = db.images(&wanted).await? {
            wanted.marker = page.last().map(|image| image.id);
            let is_last = page.len() < PAGE as usize;
            for image in page {
                let at = image.updated_at;
                if self.seen.insert(image.id, at) != Some(at) {
                    changed.push(image);
                }
            }
            if is_last {
                self.read = now;
                break;
            }
        }
        self.seen.retain(|_, at| *at >= since);
        Ok(changed)
    }
}
