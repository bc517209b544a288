//! Paths and methods.

use http::{Method, StatusCode};

use crate::support::Cloud;

#[tokio::test]
async fn what_is_not_offered_says_what_is() {
    let cloud = Cloud::new().await;
    for (method, path, allow) in [
        (Method::PUT, "/v2/images", "GET, POST"),
        (Method::HEAD, "/v2/images", "GET, POST"),
        (Method::POST, "/v2/images/x", "GET, PATCH, DELETE"),
        (Method::GET, "/v2/cache/x", "DELETE, PUT"),
        (Method::DELETE, "/v2/schemas/member", "GET"),
    ] {
        let answer = cloud.member().call(method, path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers["allow"], allow, "{path}");
    }
}

#[tokio::test]
async fn a_path_that_finds_nothing_by_a_method_does_not_tell_of_others() {
    let cloud = Cloud::new().await;
    let answer = cloud.member().call(Method::POST, "/v2/info/usage").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!answer.headers.contains_key("allow"));
}

#[tokio::test]
async fn slashes_are_joined_and_a_last_one_counts() {
    let cloud = Cloud::new().await;
    let get = async |path| cloud.member().get(path).await.status;
    assert_eq!(get("/v2//images").await, StatusCode::OK);
    assert_eq!(get("/v2/images/").await, StatusCode::NOT_FOUND);
}
