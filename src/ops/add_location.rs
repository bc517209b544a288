//! Adding a location by a call of its own: the answer comes at once, the work follows it.

use std::time::Duration;

use serde_json::{Value, json};

use super::location_import::LocationImport;
use super::{Error, Glance, Result};
use crate::config::stores::DriverConfig;
use crate::domain::evidence;
use crate::domain::location::NoPlace;
use crate::domain::property::TASK_LOCK;
use crate::domain::task::{Task, TaskEnd};
use crate::domain::{Caller, Image, Location, Refusal, Status};

/// How long a task keeps others from its image that does not end; twice as long before it begins.
const LOCKED: Duration = Duration::from_hours(1);

const KIND: &str = "location_import";

impl Glance {
    /// Takes the address of an image's data. Whether there is data, and which, is found out afterwards.
    pub async fn add_location(&self, caller: &Caller, id: &str, document: &Value) -> Result<()> {
        let schema = self.location_schema();
        (schema.validate(&json!({ "add_location": document }))).map_err(Refusal::from)?;
        let missing = || Error::NoSuchImage(id.to_owned());
        let image = self.known(caller, id).await?.ok_or_else(missing)?;
        if image.status != Status::Queued {
            return Err(NoPlace::Status {
                verb: "add",
                status: image.status,
            }
            .into());
        }
        self.permit(caller, &image, "add_image_location").await?;
        let url = document["url"].as_str().unwrap_or_default();
        let on_the_web = url.starts_with("http") && self.reads_the_web();
        if !on_the_web && !is_service(caller) {
            return Err(NoPlace::NoWebStore.into());
        }
        let promised = evidence::promised(document.get("validation_data"))?;
        let location = Location::active(url, [].into());
        let kind = location.scheme().to_ascii_lowercase();
        let is_web = on_the_web || matches!(kind.as_str(), "http" | "https");
        if is_web && !self.may_fetch(url).await {
            return Err(NoPlace::Filtered(url.to_owned()).into());
        }
        self.break_old_lock(&image).await?;

        let validation_data = document.get("validation_data");
        let input = json!({
            "image_id": image.id.as_str(),
            "loc_url": url,
            "validation_data": validation_data.cloned().unwrap_or_else(|| json!({})),
        });
        let owner = caller.project_id.as_deref().unwrap_or_default();
        let task = Task {
            user_id: caller.user_id.clone(),
            request_id: Some(caller.request_id.clone()),
            ..Task::pending(KIND, image.id, owner, input, self.clock.now())
        };
        if !self.db.create_task_with_lock(image.id, &task).await? {
            return Err(NoPlace::JustTaken(image.id).into());
        }
        let work = LocationImport {
            caller: caller.clone(),
            image: image.id,
            task: task.stub.id,
            location,
            promised,
        };
        let glance = self.clone();
        self.afterwards(async move { glance.import_location(work).await });
        Ok(())
    }

    /// Where an image's data is, for those who may know.
    pub async fn locations(&self, caller: &Caller, id: &str) -> Result<Vec<Location>> {
        let image = self.authorized(caller, id, "fetch_image_location").await?;
        Ok(image.locations)
    }

    /// Whether there is a store for what web servers have.
    fn reads_the_web(&self) -> bool {
        let mut stores = self.config.stores.stores.iter();
        stores.any(|store| matches!(store.driver, DriverConfig::Http(_)))
    }

    /// Takes the lock from a task that has had it for too long. The image is another's as long as it has not.
    async fn break_old_lock(&self, image: &Image) -> Result<()> {
        let Some(lock) = image.properties.get(TASK_LOCK) else {
            return Ok(());
        };
        let lock = lock.as_deref().unwrap_or_default();
        if let Some(task) = self.db.task(lock).await? {
            let patience = match task.stub.status.as_str() {
                "pending" => LOCKED * 2,
                _ => LOCKED,
            };
            let now = self.clock.now();
            let age = (now - task.stub.updated_at).to_std().unwrap_or_default();
            if age < patience {
                return Err(NoPlace::Busy.into());
            }
            let end = TaskEnd::Failure("Expired lock preempted".to_owned());
            self.end_task(lock, &end).await?;
        }
        if self.db.unlock_image(image.id, lock).await? {
            tracing::warn!(image.id = %image.id,
                "image {} was locked by task {lock}, which did not end in time", image.id);
            Ok(())
        } else {
            Err(NoPlace::Busy.into())
        }
    }

    /// Writes down how a task ended.
    pub(super) async fn end_task(&self, task: &str, end: &TaskEnd) -> Result<()> {
        let now = self.clock.now();
        let kept = chrono::Duration::from_std(self.config.image.task_lifetime);
        let kept = kept.unwrap_or(chrono::Duration::MAX);
        let expires = now.checked_add_signed(kept).unwrap_or(now);
        Ok(self.db.end_task(task, end, now, expires).await?)
    }
}

/// Services may name places in stores that users do not reach.
fn is_service(caller: &Caller) -> bool {
    let mut roles = caller.roles.iter().chain(&caller.service_roles);
    roles.any(|role| role == "service")
}
