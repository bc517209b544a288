//! `PATCH /v2/images/{id}`

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

#[tokio::test]
async fn a_patch_is_applied_as_a_whole_or_not_at_all() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({"name": "n", "a": "1"})).await;
    let path = format!("/v2/images/{id}");
    let changes = json!([
        {"op": "add", "path": "/b", "value": "2"},
        {"op": "remove", "path": "/nothing"},
    ]);
    let refused = cloud.member().patch(&path, &changes).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let image = cloud.member().get(&path).await.json();
    assert_eq!(image["a"], "1");
    assert_eq!(image.get("b"), None);

    let changes = json!([
        {"op": "add", "path": "/b", "value": "2"},
        {"op": "remove", "path": "/a"},
        {"op": "replace", "path": "/name", "value": "m"},
    ]);
    let image = cloud.member().patch(&path, &changes).await.json();
    assert_eq!(image["b"], "2");
    assert_eq!(image.get("a"), None);
    assert_eq!(cloud.member().get(&path).await.json()["name"], "m");
}

#[tokio::test]
async fn only_administrators_make_images_public() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let path = format!("/v2/images/{id}");
    let publish = json!([{"op": "replace", "path": "/visibility", "value": "public"}]);
    let refused = cloud.member().patch(&path, &publish).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.sentence(),
        "You are not authorized to complete publicize_image action."
    );
    let published = cloud.admin().patch(&path, &publish).await;
    assert_eq!(published.json()["visibility"], "public");
    assert_eq!(cloud.neighbour().get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_number_of_properties_is_limited() {
    let cloud = Cloud::with("image_property_quota = 1").await;
    let id = cloud.member().create(&json!({"a": "1"})).await;
    let path = format!("/v2/images/{id}");
    let swap = json!([
        {"op": "add", "path": "/b", "value": "2"},
        {"op": "remove", "path": "/a"},
    ]);
    assert_eq!(
        cloud.member().patch(&path, &swap).await.status,
        StatusCode::OK
    );
    let add = json!([{"op": "add", "path": "/c", "value": "3"}]);
    let refused = cloud.member().patch(&path, &add).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_come_at_once_are_all_kept() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let path = format!("/v2/images/{id}");
    let member = cloud.member();
    let patches = (0..8).map(|number| {
        let name = format!("/property_{number}");
        let (member, path) = (&member, &path);
        async move {
            let changes = json!([{"op": "add", "path": name, "value": "v"}]);
            member.patch(path, &changes).await.status
        }
    });
    let tags = (0..8).map(|number| {
        let path = format!("{path}/tags/tag_{number}");
        let member = &member;
        async move { member.put(&path, "").await.status }
    });
    let (changed, tagged) = tokio::join!(join_all(patches), join_all(tags));
    assert_eq!(changed, [StatusCode::OK; 8]);
    assert_eq!(tagged, [StatusCode::NO_CONTENT; 8]);
    let image = member.get(&path).await.json();
    let kept = (0..8).filter(|number| image.get(format!("property_{number}")).is_some());
    assert_eq!(kept.count(), 8, "{image}");
    assert_eq!(image["tags"].as_array().unwrap().len(), 8, "{image}");
}
