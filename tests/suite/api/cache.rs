//! `/v2/cache` and the older calls.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::Cloud;

#[tokio::test]
async fn only_administrators_look_into_the_cache() {
    let cloud = Cloud::new().await;
    let refused = cloud.member().get("/v2/cache").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.sentence(),
        "You are not authorized to complete cache_list action."
    );
    let empty = json!({"cached_images": [], "queued_images": []});
    assert_eq!(cloud.admin().get("/v2/cache").await.json(), empty);
}

#[tokio::test]
async fn a_queued_image_is_listed_and_can_be_taken_back() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let path = format!("/v2/queued_images/{id}");
    let queued = cloud.admin().call(Method::PUT, &path).await;
    assert_eq!(queued.text(), "null");
    let listed = async || cloud.admin().get("/v2/queued_images").await.json();
    assert_eq!(listed().await, json!({"queued_images": [id]}));
    assert_eq!(cloud.admin().delete(&path).await.text(), "null");
    assert_eq!(listed().await, json!({"queued_images": []}));
}

#[tokio::test]
async fn administrators_pin_images_and_nobody_else_does() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let path = format!("/v2/cache/pins/{id}");
    for caller in [cloud.member(), cloud.admin()] {
        let pinned = caller.call(Method::PUT, &path).await.status;
        let listed = caller.get("/v2/cache/pins").await;
        if pinned == StatusCode::FORBIDDEN {
            assert_eq!(listed.status, StatusCode::FORBIDDEN);
            continue;
        }
        assert_eq!(pinned, StatusCode::NO_CONTENT);
        let expected = json!({"pinned_images": [id], "pinned_by": {}});
        assert_eq!(listed.json(), expected);
    }
    let nobody = "/v2/cache/pins/00000000-0000-4000-8000-000000000404";
    let missing = cloud.admin().call(Method::PUT, nobody).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let unpinned = cloud.admin().delete(&path).await;
    assert_eq!(unpinned.status, StatusCode::NO_CONTENT);
    let empty = json!({"pinned_images": [], "pinned_by": {}});
    assert_eq!(cloud.admin().get("/v2/cache/pins").await.json(), empty);
}

#[tokio::test]
async fn only_active_images_are_fetched() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let refused = cloud
        .admin()
        .call(Method::PUT, &format!("/v2/cache/{id}"))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.sentence(),
        "Only images with status active can be targeted for queueing"
    );
}

#[tokio::test]
async fn an_unknown_part_to_clear_is_refused_only_to_those_who_may_clear() {
    let cloud = Cloud::with("image_cache_driver = sqlite").await;
    assert_eq!(
        cloud.member().delete("/v2/cache").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        cloud.admin().delete("/v2/cache").await.status,
        StatusCode::NO_CONTENT
    );
    let id = cloud.member().create(&json!({})).await;
    let nodes = cloud.admin().get(&format!("/v2/cache/nodes/{id}")).await;
    assert_eq!(nodes.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_may_ask_for_the_nodes_is_told_what_it_takes() {
    let cloud = Cloud::with("image_cache_driver = sqlite").await;
    let refused = cloud.member().get("/v2/cache_nodes").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let alone = cloud.admin().get("/v2/cache_nodes").await;
    assert_eq!(alone.status, StatusCode::CONFLICT);
    assert_eq!(
        alone.sentence(),
        "This node tells no other of its cache and knows of none: that takes image_cache_driver = centralized_db \
         and worker_self_reference_url."
    );
}
