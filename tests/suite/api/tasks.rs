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
