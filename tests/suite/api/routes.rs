//! Paths and methods.

use http::{Method, StatusCode};
use serde_json::json;

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

#[tokio::test]
async fn a_refused_method_reads_its_body_first() {
    let cloud = Cloud::new().await;
    let answer = cloud.member().put("/v2/images", "{").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.sentence(), "Malformed JSON in request body.");
    let answer = cloud.member().put("/v2/images", "{}").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_method_that_nobody_has_heard_of_is_not_implemented_where_no_path_is() {
    let cloud = Cloud::new().await;
    for (method, path, status) in [
        (Method::TRACE, "/v2/nothing", StatusCode::NOT_IMPLEMENTED),
        (Method::TRACE, "/v2/info/usage", StatusCode::NOT_IMPLEMENTED),
        (Method::TRACE, "/v2/images", StatusCode::METHOD_NOT_ALLOWED),
        (Method::PUT, "/v2/nothing", StatusCode::NOT_FOUND),
    ] {
        let answer = cloud.member().call(method, path).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let answer = (cloud.member().call(Method::TRACE, "/v2/nothing")).await;
    let sentence = "The request method TRACE is not implemented for this server.";
    assert_eq!(answer.sentence(), sentence);
}

#[tokio::test]
async fn a_fault_has_its_type_even_where_nobody_sees_its_page() {
    let cloud = Cloud::new().await;
    let answer = cloud.member().call(Method::HEAD, "/v2/images").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn escapes_that_no_path_needs_do_not_matter() {
    let cloud = Cloud::new().await;
    let get = async |path| cloud.member().get(path).await.status;
    assert_eq!(get("/%76%32%2Fimages").await, StatusCode::OK);
    assert_eq!(get("/v2/%69mages").await, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_without_a_body_has_the_type_of_a_page() {
    let cloud = Cloud::new().await;
    let tag = format!(
        "/v2/images/{}/tags/x",
        cloud.member().create(&json!({})).await
    );
    for method in [Method::PUT, Method::DELETE] {
        let answer = cloud.member().call(method, &tag).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.headers["content-type"], "text/html; charset=UTF-8");
    }
    // The original leaves it out where there is no data to give it a type.
    let answer = cloud.member().get(&tag.replace("tags/x", "file")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(!answer.headers.contains_key("content-type"));
}
