//! `[metrics] path`: the numbers beside the API.

use http::StatusCode;

use crate::support::{Cloud, Exposition, FakeKeystone};

#[tokio::test]
async fn metrics_are_off_unless_somebody_wants_them() {
    let cloud = Cloud::new().await;
    let answer = cloud.admin().get("/metrics").await;
    // As the original says of any path: here are the versions.
    assert_eq!(answer.status, StatusCode::MULTIPLE_CHOICES);
}

#[tokio::test]
async fn metrics_beside_the_api_are_for_everybody() {
    let cloud = Cloud::with("[metrics]\npath = /metrics").await;
    let id = cloud.member().create_with(b"some bytes").await;
    let file = format!("/v2/images/{id}/file");
    for _ in 0..2 {
        cloud.member().get(&file).await;
    }
    cloud.member().get("/v2/nothing").await;
    cloud.member().speak("FETCH", "/v2/images", "").await;
    let answer = cloud.reader().get("/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let page = Exposition::read(&answer.text());
    let requests = |labels: &str| page.value(&format!("glance_http_requests_total{{{labels}}}"));
    let download = r#"route="/v2/images/{id}/file",method="GET",status="200""#;
    assert_eq!(requests(download), 2);
    // Neither paths nor methods that clients make up are labels.
    let unknown = r#"route="other",method="GET",status="404""#;
    assert_eq!(requests(unknown), 1);
    assert!(!answer.text().contains("nothing"), "{}", answer.text());
    assert!(!answer.text().contains("FETCH"), "{}", answer.text());
    assert!(!answer.text().contains(&id), "{}", answer.text());
}

#[tokio::test]
async fn metrics_can_be_for_those_who_may_list_the_cache() {
    let cloud = Cloud::with("[metrics]\npath = /metrics\nauthenticate = true").await;
    let refused = cloud.reader().get("/metrics").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.admin().get("/metrics").await.status, StatusCode::OK);

    let keystone = FakeKeystone::new().await;
    let options = "[metrics]\npath = /metrics\nauthenticate = true";
    let cloud = Cloud::with_keystone(&keystone.url(), options, "").await;
    let nobody = cloud.admin().get("/metrics").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}
