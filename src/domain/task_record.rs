//! Work that goes on after its request, as it is written down.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::image::ImageId;
use super::task_stub::TaskStub;

/// A task about an image, with what it was given and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    pub stub: TaskStub,
    pub image: Option<String>,
    pub user: Option<String>,
    pub request: Option<String>,
    pub input: Value,
    pub result: Value,
    pub message: String,
}

impl TaskRecord {
    /// A task that has not begun.
    #[must_use]
    pub fn pending(
        kind: &str,
        image: ImageId,
        owner: &str,
        input: Value,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            stub: TaskStub {
                id: uuid::Uuid::new_v4().to_string(),
                kind: kind.to_owned(),
                status: "pending".to_owned(),
                owner: owner.to_owned(),
                created_at: now,
                updated_at: now,
                expires_at: None,
            },
            image: Some(image.to_string()),
            user: None,
            request: None,
            input,
            result: Value::Null,
            message: String::new(),
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEnd {
    Success(Value),
    Failure(String),
}

impl TaskEnd {
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Success(_) => "success",
            Self::Failure(_) => "failure",
        }
    }
}
