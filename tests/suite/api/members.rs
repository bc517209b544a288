//! `/v2/images/{id}/members`

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::Cloud;

const NEIGHBOUR: &str = "bbbb0000bbbb0000bbbb0000bbbb0000";

#[tokio::test]
async fn a_shared_image_is_seen_once_it_is_shared_and_listed_once_accepted() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({"name": "n"})).await;
    let path = format!("/v2/images/{id}");
    let member = json!({"member": NEIGHBOUR});
    let listed = async || cloud.neighbour().get("/v2/images").await.json()["images"].clone();

    assert_eq!(
        cloud.neighbour().get(&path).await.status,
        StatusCode::NOT_FOUND
    );
    let added = cloud
        .member()
        .post(&format!("{path}/members"), &member)
        .await;
    assert_eq!(added.json()["status"], "pending");
    assert_eq!(cloud.neighbour().get(&path).await.status, StatusCode::OK);
    assert_eq!(listed().await, json!([]));

    let again = cloud
        .member()
        .post(&format!("{path}/members"), &member)
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);

    let removed = cloud
        .member()
        .delete(&format!("{path}/members/{NEIGHBOUR}"))
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(
        cloud.neighbour().get(&path).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn only_shared_images_have_members() {
    let cloud = Cloud::new().await;
    let id = cloud
        .member()
        .create(&json!({"visibility": "private"}))
        .await;
    let path = format!("/v2/images/{id}/members");
    let refused = cloud.member().get(&path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.sentence(),
        format!("Not allowed to list members for image {id}: Only shared images have members.")
    );
}

#[tokio::test]
async fn tags_come_and_go_one_by_one() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let path = format!("/v2/images/{id}/tags/a%20b");
    for _ in 0..2 {
        let added = cloud.member().call(Method::PUT, &path).await;
        assert_eq!(added.status, StatusCode::NO_CONTENT);
    }
    let image = cloud.member().get(&format!("/v2/images/{id}")).await;
    assert_eq!(image.json()["tags"], json!(["a b"]));
    assert_eq!(
        cloud.member().delete(&path).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        cloud.member().delete(&path).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_member_of_four_byte_characters_is_refused() {
    let cloud = Cloud::new().await;
    let id = cloud
        .member()
        .create(&json!({"visibility": "shared"}))
        .await;
    let path = format!("/v2/images/{id}/members");
    let refused = (cloud.member().post(&path, &json!({"member": "\u{1f600}"}))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.sentence(),
        "Member can't contain 4 byte unicode characters."
    );
}
