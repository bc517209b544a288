//! `/v2/tasks`, and what of imports is looked at before they begin.

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

#[tokio::test]
async fn administrators_list_tasks_and_others_do_not() {
    let cloud = Cloud::new().await;
    let list = cloud.admin().get("/v2/tasks?limit=5").await;
    let expected = json!({
        "tasks": [], "first": "/v2/tasks?limit=5", "schema": "/v2/schemas/tasks",
    });
    assert_eq!(list.json(), expected);
    let wrong = cloud.admin().get("/v2/tasks?sort_dir=up").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.sentence(), "Invalid sort direction: up");

    let refused = cloud.member().get("/v2/tasks?sort_dir=up").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.sentence(),
        "You are not authorized to complete tasks_api_access action."
    );
}

/// A task of `member` for the image, with what came of it, and one that has expired.
async fn with_tasks(image: &str) -> Cloud {
    let cloud = Cloud::new().await;
    let document = json!({"id": image});
    cloud.member().create(&document).await;
    cloud.database().run(&format!(
        "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, expires_at, image_id, \
         request_id, user_id, deleted) VALUES \
         ('{TASK}', 'api_image_import', 'success', 'aaaa0000aaaa0000aaaa0000aaaa0000', \
          '2026-01-31 12:00:00.000000', '2026-01-31 12:00:01.000000', '2999-01-31 12:00:00', \
          '{image}', 'req-1', 'user', FALSE), \
         ('00000000-0000-4000-8000-00000000000e', 'api_image_import', 'failure', 'other', \
          '2026-01-31 12:00:00', NULL, '2026-02-01 12:00:00', '{image}', NULL, NULL, FALSE); \
         INSERT INTO task_info (task_id, input, result, message) VALUES \
         ('{TASK}', '{{\"image_id\": \"x\"}}', NULL, 'Copied 0 MiB');"
    ));
    cloud
}

const TASK: &str = "00000000-0000-4000-8000-0000000000aa";

#[tokio::test]
async fn administrators_see_a_task_with_what_came_of_it() {
    let image = "00000000-0000-4000-8000-000000000001";
    let cloud = with_tasks(image).await;
    let path = format!("/v2/tasks/{TASK}");
    assert_eq!(
        cloud.admin().get(&path).await.json(),
        json!({
            "id": TASK, "type": "api_image_import", "status": "success",
            "owner": "aaaa0000aaaa0000aaaa0000aaaa0000", "created_at": "2026-01-31T12:00:00Z",
            "updated_at": "2026-01-31T12:00:01Z", "expires_at": "2999-01-31T12:00:00Z",
            "self": path, "schema": "/v2/schemas/task", "input": {"image_id": "x"},
            "result": null, "message": "Copied 0 MiB", "image_id": image, "request_id": "req-1",
            "user_id": "user",
        })
    );
    let absent = cloud.admin().get("/v2/tasks/nonsense").await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert_eq!(absent.sentence(), "Could not find task nonsense");
    let refused = cloud.member().get(&path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let marker = "/v2/tasks?marker=00000000-0000-4000-8000-0000000000bb";
    assert_eq!(
        cloud.admin().get(marker).await.sentence(),
        "Task with the given id 00000000-0000-4000-8000-0000000000bb was not found"
    );
}

#[tokio::test]
async fn a_task_is_not_deleted_but_expires() {
    let cloud = Cloud::new().await;
    let path = format!("/v2/tasks/{TASK}");
    let refused = cloud.admin().delete(&path).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers["allow"], "GET");
    assert_eq!(
        refused.sentence(),
        "This operation is currently not permitted on Glance Tasks. They are auto deleted after \
         reaching the time based on their expires_at property."
    );
    let refused = cloud.member().delete(&path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_sees_an_image_sees_its_tasks_of_the_own_project() {
    let image = "00000000-0000-4000-8000-000000000001";
    let cloud = with_tasks(image).await;
    let path = format!("/v2/images/{image}/tasks");
    assert_eq!(
        cloud.reader().get(&path).await.json(),
        json!({"tasks": [{
            "id": TASK, "type": "api_image_import", "status": "success",
            "owner": "aaaa0000aaaa0000aaaa0000aaaa0000", "created_at": "2026-01-31T12:00:00.000000",
            "updated_at": "2026-01-31T12:00:01.000000", "expires_at": "2999-01-31T12:00:00.000000",
            "deleted_at": null, "deleted": false, "image_id": image, "request_id": "req-1",
            "user_id": "user", "input": {"image_id": "x"}, "result": null, "message": "Copied 0 MiB",
        }]})
    );
    let hidden = cloud.neighbour().get(&path).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!(hidden.sentence(), "The resource could not be found.");
}

#[tokio::test]
async fn what_cannot_become_a_task_is_refused_with_its_reason() {
    let cloud = Cloud::new().await;
    for (document, sentence) in [
        (json!({}), "Task 'type' is required"),
        (json!({"type": "import"}), "Task 'input' is required"),
        (
            json!({"type": "import", "input": {"import_from": "file:///etc/passwd"}}),
            "File based imports are not allowed. Please use a non-local source of image data.",
        ),
    ] {
        let refused = cloud.admin().post("/v2/tasks", &document).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.sentence(), sentence);
        let forbidden = cloud.member().post("/v2/tasks", &document).await;
        assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn an_import_must_name_a_method_of_the_site() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let path = format!("/v2/images/{id}/import");
    for (document, sentence) in [
        (json!({}), "Import request requires a 'method' field."),
        (
            json!({"method": {}}),
            "Import request requires a 'name' field.",
        ),
        (
            json!({"method": {"name": "web-download"}}),
            "Unknown import method name 'web-download'.",
        ),
    ] {
        let refused = cloud.member().post(&path, &document).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.sentence(), sentence);
    }
}
