//! Work that goes on after its request, as a whole.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::image::ImageId;
use super::literal::literal;
use super::schema::{Mismatch, Schema};
use super::task_stub::TaskStub;

/// A task with what it was given and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub stub: TaskStub,
    pub image_id: Option<String>,
    /// The request that began it, and whose that was.
    pub request_id: Option<String>,
    pub user_id: Option<String>,
    pub input: Option<Value>,
    pub result: Option<Value>,
    pub message: Option<String>,
    /// When it changed last; none if it never did.
    pub changed_at: Option<DateTime<Utc>>,
}

impl Task {
    /// A task about an image that has not begun.
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
            image_id: Some(image.to_string()),
            request_id: None,
            user_id: None,
            input: Some(input),
            result: Some(Value::Null),
            message: Some(String::new()),
            changed_at: Some(now),
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

/// Why no such task is begun. The sentences are the original's: clients show them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTask {
    #[error("Task '{0}' is required")]
    Incomplete(&'static str),
    #[error(transparent)]
    Mismatch(#[from] Box<Mismatch>),
    #[error("Invalid location: {0}")]
    NoSource(String),
    #[error("File based imports are not allowed. Please use a non-local source of image data.")]
    LocalSource,
    #[error(
        "The given uri is not valid. Please specify a valid uri from the following list of supported uri ['http']"
    )]
    UnknownSource,
}

/// Refuses what cannot become a task.
pub fn check(document: &Value, schema: &Schema) -> Result<(), NoTask> {
    for required in ["type", "input"] {
        if document.get(required).is_none() {
            return Err(NoTask::Incomplete(required));
        }
    }
    schema.validate(document)?;
    if document["type"] == "import" {
        check_source(document["input"].get("import_from").unwrap_or(&Value::Null))?;
    }
    Ok(())
}

/// Whether an image may come from there, as far as its address tells.
fn check_source(source: &Value) -> Result<(), NoTask> {
    let address = match source {
        Value::String(address) if !address.is_empty() => address,
        Value::String(_) => return Err(NoTask::NoSource(String::new())),
        other => return Err(NoTask::NoSource(literal(other))),
    };
    let is = |schemes: [&str; 2]| schemes.iter().any(|scheme| address.starts_with(scheme));
    if is(["http://", "https://"]) {
        Ok(())
    } else if is(["file:///", "filesystem:///"]) {
        Err(NoTask::LocalSource)
    } else {
        Err(NoTask::UnknownSource)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::schema::documents;

    fn refused(document: &Value) -> String {
        let refused = check(document, &documents::task()).unwrap_err().to_string();
        refused.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_task_needs_a_type_and_an_input_that_fit_the_schema() {
        assert_eq!(refused(&json!([])), "Task 'type' is required");
        assert_eq!(
            refused(&json!({"type": "import"})),
            "Task 'input' is required"
        );
        assert_eq!(
            refused(&json!({"type": "nope", "input": {}})),
            "Provided object does not match schema 'task': 'nope' is not one of ['import', \
             'api_image_import', 'location_import']"
        );
        assert!(
            check(
                &json!({"type": "location_import", "input": {}}),
                &documents::task()
            )
            .is_ok()
        );
    }

    #[test]
    fn an_import_names_a_source_that_is_no_file_of_ours() {
        let from = |source: Value| json!({"type": "import", "input": {"import_from": source}});
        assert_eq!(
            refused(&json!({"type": "import", "input": null})),
            "Invalid location: None"
        );
        assert_eq!(refused(&from(json!(""))), "Invalid location: ");
        assert!(refused(&from(json!("file:///etc/passwd"))).starts_with("File based imports"));
        assert!(refused(&from(json!("swift://x"))).starts_with("The given uri is not valid."));
        assert!(check(&from(json!("http://host/image")), &documents::task()).is_ok());
    }
}
