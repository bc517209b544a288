//! `/v2/images/{id}/file`

use http::header::{CONTENT_RANGE, RANGE};
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

#[tokio::test]
async fn data_stays_for_a_while_where_the_operator_wants_it_so() {
    let cloud = Cloud::with("delayed_delete = true").await;
    let id = cloud.member().create_with(b"some bytes").await;
    let path = format!("/v2/images/{id}");
    let deleted = cloud.member().delete(&path).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.admin().get(&path).await.status, StatusCode::NOT_FOUND);
    assert!(cloud.store_dir().join(&id).exists());
}

#[tokio::test]
async fn an_upload_that_is_refused_for_its_format_may_be_tried_again() {
    let cloud = Cloud::new().await;
    let formats = json!({"disk_format": "qcow2", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    let path = format!("/v2/images/{id}");
    let refused = cloud.member().upload(&id, b"no such thing").await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let image = cloud.member().get(&path).await.json();
    assert_eq!(image["status"], "queued");
    assert_eq!(image["checksum"], "c15a40d8b75253299aa768454497baa4");
    let replace = json!([{"op": "replace", "path": "/disk_format", "value": "raw"}]);
    cloud.member().patch(&path, &replace).await;
    let taken = cloud.member().upload(&id, b"raw bytes").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let data = cloud.member().get(&format!("{path}/file")).await;
    assert_eq!(&data.body[..], b"raw bytes");
}

#[tokio::test]
async fn an_image_without_formats_takes_no_data() {
    let cloud = Cloud::new().await;
    for (document, what) in [
        (json!({}), "Properties disk_format, container_format"),
        (json!({"disk_format": "raw"}), "Property container_format"),
        (json!({"container_format": "bare"}), "Property disk_format"),
    ] {
        let id = cloud.member().create(&document).await;
        let refused = cloud.member().upload(&id, b"data").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            refused.sentence(),
            format!("{what} must be set prior to saving data.")
        );
    }
}

#[tokio::test]
async fn a_range_of_nothing_is_refused_even_where_there_is_no_data() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({})).await;
    let path = format!("/v2/images/{id}/file");
    for (name, value, status) in [
        (RANGE, "bytes=0-1,3-4", StatusCode::BAD_REQUEST),
        (RANGE, "bytes=5-2", StatusCode::RANGE_NOT_SATISFIABLE),
        (CONTENT_RANGE, "nonsense", StatusCode::RANGE_NOT_SATISFIABLE),
        (
            CONTENT_RANGE,
            "bytes 3-0/9",
            StatusCode::RANGE_NOT_SATISFIABLE,
        ),
        (RANGE, "bytes=0-1", StatusCode::NO_CONTENT),
    ] {
        let answer = cloud.member().get_with(&path, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{value}");
    }
}
