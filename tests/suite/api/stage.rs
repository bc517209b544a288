//! `PUT /v2/images/{id}/stage`

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

const OPTIONS: &str = "enabled_import_methods = [glance-direct]";

#[tokio::test]
async fn staged_data_waits_on_this_node_for_its_import() {
    let cloud = Cloud::with(OPTIONS).await;
    let member = cloud.member();
    let id = member.create(&json!({})).await;
    let path = format!("/v2/images/{id}");
    let staged = member.stream(&format!("{path}/stage"), b"some bytes").await;
    assert_eq!(staged.status, StatusCode::NO_CONTENT);

    let image = member.get(&path).await.json();
    assert_eq!(image["status"], "uploading");
    assert_eq!(image["size"], 10);
    assert_eq!(image["checksum"], json!(null));
    assert_eq!(image.get("os_glance_stage_host"), None);
    let data = member.get(&format!("{path}/file")).await;
    assert_eq!(data.status, StatusCode::NO_CONTENT);

    let file = cloud.staging_dir().join(&id);
    assert_eq!(
        std::fs::read(&file).expect("the staged data"),
        b"some bytes"
    );
    let again = member.stream(&format!("{path}/stage"), b"more").await;
    assert_eq!(
        again.sentence(),
        "Image status transition from uploading to uploading is not allowed"
    );
    member.delete(&path).await;
    assert!(!file.exists());
}

#[tokio::test]
async fn data_that_is_too_large_leaves_the_image_waiting() {
    let cloud = Cloud::with(&format!("{OPTIONS}\nimage_size_cap = 5")).await;
    let member = cloud.member();
    let id = member.create(&json!({})).await;
    let path = format!("/v2/images/{id}");
    let refused = member.stream(&format!("{path}/stage"), b"six...").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(member.get(&path).await.json()["status"], "queued");
    let left = std::fs::read_dir(cloud.staging_dir()).expect("the directory");
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn what_a_crash_left_in_the_place_of_staged_data_is_replaced() {
    let cloud = Cloud::with(OPTIONS).await;
    let member = cloud.member();
    let id = member.create(&json!({})).await;
    std::fs::create_dir_all(cloud.staging_dir()).expect("a directory");
    let file = cloud.staging_dir().join(&id);
    std::fs::write(&file, "old").expect("a file");
    let staged = member
        .stream(&format!("/v2/images/{id}/stage"), b"new")
        .await;
    assert_eq!(staged.status, StatusCode::NO_CONTENT);
    assert_eq!(std::fs::read(&file).expect("the staged data"), b"new");
}

#[tokio::test]
async fn a_site_without_the_method_stages_nothing() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let refused = cloud
        .member()
        .stream(&format!("/v2/images/{id}/stage"), b"x")
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(
        refused.sentence(),
        "'glance-direct' method is not available at this site."
    );
}
