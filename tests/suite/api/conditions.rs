//! Conditional and resumed reads of image data.

use http::StatusCode;
use http::header::{ACCEPT_RANGES, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};

use crate::support::{Answer, Cloud};

async fn read(cloud: &Cloud, id: &str, headers: &[(HeaderName, &str)]) -> Answer {
    let path = format!("/v2/images/{id}/file");
    cloud.member().get_with(&path, headers).await
}

#[tokio::test]
async fn who_has_an_image_is_not_sent_it_again() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let first = read(&cloud, &id, &[]).await;
    let image = cloud.member().get(&format!("/v2/images/{id}")).await.json();
    let hash = image["os_hash_value"].as_str().expect("a hash");
    assert_eq!(first.headers[ETAG], format!("\"{hash}\""));
    assert_eq!(first.headers[ACCEPT_RANGES], "bytes");

    let tag = first.headers[ETAG].to_str().expect("a text");
    let again = read(&cloud, &id, &[(IF_NONE_MATCH, tag), (RANGE, "bytes=0-1")]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers[ETAG], tag);
    assert!(again.body.is_empty());
    let other = read(&cloud, &id, &[(IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!(&other.body[..], b"some bytes");
}

#[tokio::test]
async fn a_read_is_resumed_only_where_it_is_of_the_same_bytes() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let whole = read(&cloud, &id, &[]).await;
    let tag = whole.headers[ETAG].to_str().expect("a text");
    let rest = read(&cloud, &id, &[(RANGE, "bytes=5-"), (IF_RANGE, tag)]).await;
    assert_eq!(rest.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(&rest.body[..], b"bytes");
    let all = read(&cloud, &id, &[(RANGE, "bytes=5-"), (IF_RANGE, "\"other\"")]).await;
    assert_eq!(all.status, StatusCode::OK);
    assert_eq!(&all.body[..], b"some bytes");
}

#[tokio::test]
async fn a_condition_tells_nothing_to_those_who_may_not_read() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"some bytes").await;
    let path = format!("/v2/images/{id}/file");
    let any = [(IF_NONE_MATCH, "*")];
    let hidden = cloud.neighbour().get_with(&path, &any).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    let waiting = cloud.member().create(&serde_json::json!({})).await;
    let nothing = read(&cloud, &waiting, &any).await;
    assert_eq!(nothing.status, StatusCode::NO_CONTENT);
}
