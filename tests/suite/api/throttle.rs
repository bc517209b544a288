//! `[request_limits]`

use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::support::Cloud;

const FILES: &str = "[glance_store]\nstores = file\ndefault_store = file\nfilesystem_store_datadir = {dir}/images\n";

#[tokio::test]
async fn a_project_that_asks_too_often_hears_when_to_come_again() {
    let limits = format!("{FILES}[request_limits]\nproject_rate = 0.01\nproject_burst = 3\n");
    let cloud = Cloud::with_stores("", &limits).await;
    for _ in 0..3 {
        let answer = cloud.member().get("/v2/images").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let refused = cloud.reader().get("/v2/images").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u32 = refused.headers[RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((90..=100).contains(&seconds), "{seconds}");
    assert_eq!(
        refused.sentence(),
        "The client has sent too many requests in a given amount of time"
    );
    let other = cloud.neighbour().get("/v2/images").await;
    assert_eq!(other.status, StatusCode::OK);
}
