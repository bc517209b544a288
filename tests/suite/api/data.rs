//! `/v2/images/{id}/file`

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::Cloud;

#[tokio::test]
async fn what_goes_in_comes_out() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let image = cloud.member().get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["status"], "active");
    assert_eq!(image["size"], 10);
    for _ in 0..2 {
        let data = cloud.member().get(&format!("/v2/images/{id}/file")).await;
        assert_eq!(data.status, StatusCode::OK);
        assert_eq!(&data.body[..], b"some bytes");
        assert_eq!(
            data.headers["content-md5"],
            image["checksum"].as_str().expect("a checksum")
        );
    }
}

#[tokio::test]
async fn an_image_that_waits_for_data_has_no_content() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let data = cloud.member().get(&format!("/v2/images/{id}/file")).await;
    assert_eq!(data.status, StatusCode::NO_CONTENT);
    assert!(data.body.is_empty());
}

#[tokio::test]
async fn deleting_an_image_leaves_nothing_in_the_store() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let file = cloud.store_dir().join(&id);
    assert!(file.exists());
    cloud.member().delete(&format!("/v2/images/{id}")).await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_deactivated_image_is_read_by_administrators_alone() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let path = format!("/v2/images/{id}/file");
    let deactivate = format!("/v2/images/{id}/actions/deactivate");
    let done = cloud.admin().call(Method::POST, &deactivate).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    let refused = cloud.member().get(&path).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.admin().get(&path).await.status, StatusCode::OK);
}
