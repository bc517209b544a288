//! `user_storage_quota`

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

const OPTIONS: &str = "user_storage_quota = 15B";

#[tokio::test]
async fn a_project_keeps_no_more_than_its_quota() {
    let cloud = Cloud::with(OPTIONS).await;
    let member = cloud.member();
    let first = member.create_with(b"ten bytes!").await;
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let second = member.create(&formats).await;

    let refused = member.upload(&second, b"six...").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        refused.sentence(),
        "Image exceeds the storage quota: The size of the data 6 will exceed the limit. 5 bytes remaining."
    );
    let image = member.get(&format!("/v2/images/{second}")).await.json();
    assert_eq!(image["status"], "queued");
    assert!(!cloud.store_dir().join(&second).exists());
    cloud.neighbour().create_with(b"fifteen bytes..").await;

    member.delete(&format!("/v2/images/{first}")).await;
    let taken = member.upload(&second, b"six...").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn data_of_unknown_size_is_held_to_the_quota_as_it_comes() {
    let cloud = Cloud::with(OPTIONS).await;
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    let path = format!("/v2/images/{id}/file");
    let refused = cloud.member().stream(&path, b"sixteen bytes...").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.sentence().contains("the data 16 will exceed"));
    assert!(!cloud.store_dir().join(&id).exists());
    let taken = cloud.member().stream(&path, b"fifteen bytes..").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_tag_that_is_named_twice_counts_twice() {
    let cloud = Cloud::with("image_tag_quota = 3").await;
    let answer = cloud
        .member()
        .post("/v2/images", &json!({"tags": ["a", "a", "a", "a"]}))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.sentence().contains("Attempted: 4, Maximum: 3"));
    let id = cloud
        .member()
        .create(&json!({"tags": ["a", "a", "b"]}))
        .await;
    let path = format!("/v2/images/{id}");
    let change = json!([{"op": "replace", "path": "/tags", "value": ["a", "b", "c", "c"]}]);
    let answer = cloud.member().patch(&path, &change).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let tags = &cloud.member().get(&path).await.json()["tags"];
    assert_eq!(tags, &json!(["a", "b"]));
}

/// What is held for data on its way.
fn held(cloud: &Cloud) -> Vec<String> {
    let rows = "SELECT value FROM image_properties WHERE name = 'os_glance_held_room'";
    cloud.database().ask(rows, "value")
}

#[tokio::test(flavor = "multi_thread")]
async fn room_for_data_of_unknown_size_grows_with_it_and_is_given_back() {
    static DATA: [u8; 3 << 20] = [7; 3 << 20];
    let cloud = Cloud::with("user_storage_quota = 4MiB").await;
    let member = cloud.member();
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let [first, second] = [member.create(&formats).await, member.create(&formats).await];
    let path = |id: &str| format!("/v2/images/{id}/file");
    let taken = member.stream(&path(&first), &DATA).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    assert_eq!(held(&cloud), Vec::<String>::new());

    let refused = member.stream(&path(&second), &DATA).await;
    assert_eq!(
        refused.sentence(),
        "Image exceeds the storage quota: The size of the data 3145728 will exceed the limit. 1048576 bytes \
         remaining."
    );
    assert_eq!(held(&cloud), Vec::<String>::new());
    let shown = member.get(&format!("/v2/images/{second}")).await.json();
    assert_eq!(shown["status"], "queued");
    let taken = member.stream(&path(&second), &DATA[..1 << 20]).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}
