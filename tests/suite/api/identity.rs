//! Callers whose tokens Keystone knows.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::{HeaderName, StatusCode};
use serde_json::json;

use crate::support::{Answer, Cloud, FakeKeystone, FakeMemcached, Mood, PATIENCE};

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");
const FRESH: &str = "token_cache_time = -1";

/// Beside the token every one of these requests claims in headers to be a confirmed administrator.
async fn ask(cloud: &Cloud, tokens: &[(HeaderName, &str)]) -> Answer {
    cloud.admin().get_with("/v2/images", tokens).await
}

async fn status(cloud: &Cloud, token: &str) -> StatusCode {
    ask(cloud, &[(TOKEN, token)]).await.status
}

#[tokio::test]
async fn a_valid_token_is_its_owner_whatever_headers_claim() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", "").await;
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    // Tasks are for administrators, and the headers say that everybody is one.
    for (token, status) in [("member", StatusCode::FORBIDDEN), ("admin", StatusCode::OK)] {
        let headers = [(TOKEN, token)];
        let answer = cloud.admin().get_with("/v2/tasks", &headers).await;
        assert_eq!(answer.status, status, "{token}");
    }
    // It is somebody, whom the built-in rules let do nothing without a project.
    assert_eq!(status(&cloud, "system").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_a_valid_token_nobody_is_let_in_and_the_answer_says_where_to_get_one() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", "").await;
    let many = [(TOKEN, "member"), (TOKEN, "member")];
    for tokens in [&[][..], &[(TOKEN, "unknown")], &[(TOKEN, "late")], &many] {
        let answer = ask(&cloud, tokens).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{tokens:?}");
        let uri = format!("Keystone uri=\"{}\"", keystone.url());
        assert_eq!(answer.headers["www-authenticate"], uri.as_str());
        assert_eq!(
            answer.headers["content-type"],
            "application/json; charset=UTF-8"
        );
        let sentence = "The request you have made requires authentication.";
        let error = json!({"code": 401, "title": "Unauthorized", "message": sentence});
        assert_eq!(answer.json(), json!({ "error": error }));
    }
}

#[tokio::test]
async fn a_delayed_decision_is_that_of_the_service() {
    let keystone = FakeKeystone::new().await;
    let options = "delay_auth_decision = true\nwww_authenticate_uri = https://public:5000";
    let cloud = Cloud::with_keystone(&keystone.url(), "", options).await;
    let answer = ask(&cloud, &[(TOKEN, "unknown")]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer
            .sentence()
            .starts_with("This server could not verify")
    );
    let uri = "Keystone uri=\"https://public:5000\"";
    assert_eq!(answer.headers["www-authenticate"], uri);
    let open = "allow_anonymous_access = true";
    let cloud = Cloud::with_keystone(&keystone.url(), open, options).await;
    // Let in, and judged by the policy, which lets only readers of a project look.
    assert_eq!(status(&cloud, "unknown").await, StatusCode::FORBIDDEN);
    let made = cloud.admin().post("/v2/images", &json!({})).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn many_requests_with_a_token_ask_keystone_once() {
    let keystone = FakeKeystone::new().await;
    keystone.be(Mood::Slow);
    let cloud = Cloud::with_keystone(&keystone.url(), "", "").await;
    let answers = join_all((0..50).map(|_| status(&cloud, "member"))).await;
    assert!(answers.iter().all(|status| *status == StatusCode::OK));
    assert_eq!((keystone.validated(), keystone.issued()), (1, 1));
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    assert_eq!(keystone.validated(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_refused_when_the_cache_time_is_over() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", FRESH).await;
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    keystone.revoke("member");
    assert_eq!(status(&cloud, "member").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_keystone_known_tokens_go_on_and_others_are_503() {
    let mut keystone = FakeKeystone::new().await;
    // A delayed decision makes no difference: nobody can tell that the token is wrong.
    let cloud = Cloud::with_keystone(&keystone.url(), "", "delay_auth_decision = true").await;
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    keystone.leave().await;
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    let answer = ask(&cloud, &[(TOKEN, "reader")]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let sentence = "The Keystone service is temporarily unavailable.";
    assert!(
        answer.sentence().ends_with(sentence),
        "{}",
        answer.sentence()
    );
}

#[tokio::test]
async fn an_answer_that_is_not_keystones_is_503_and_never_401() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", FRESH).await;
    for code in [200, 302, 401, 403, 404, 500, 502] {
        keystone.be(Mood::Nonsense(code));
        let answer = status(&cloud, "member").await;
        assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE, "{code}");
    }
    keystone.be(Mood::Well);
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
}

#[tokio::test]
async fn a_keystone_that_is_too_slow_is_503() {
    let keystone = FakeKeystone::new().await;
    keystone.be(Mood::Silent);
    let patience = "http_connect_timeout = 1\nhttp_request_max_retries = 0";
    let cloud = Cloud::with_keystone(&keystone.url(), "", patience).await;
    assert_eq!(
        status(&cloud, "member").await,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_services_own_token_is_renewed_when_keystone_no_longer_takes_it() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", FRESH).await;
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    keystone.be(Mood::Forgetful);
    assert_eq!(status(&cloud, "member").await, StatusCode::OK);
    assert_eq!(keystone.issued(), 2);
}

#[tokio::test]
async fn with_the_token_of_a_service_an_ended_one_counts() {
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", "").await;
    assert_eq!(status(&cloud, "ended").await, StatusCode::UNAUTHORIZED);
    let both = |service| [(TOKEN, "ended"), (SERVICE_TOKEN, service)];
    assert_eq!(ask(&cloud, &both("nova")).await.status, StatusCode::OK);
    // A member is no service, and what nobody knows is nobody's.
    for service in ["member", "unknown"] {
        let answer = ask(&cloud, &both(service)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{service}");
    }
    // Known by now, but still ended for everybody else.
    assert_eq!(status(&cloud, "ended").await, StatusCode::UNAUTHORIZED);
}

/// As a service is told to share what it knows.
fn shared(memcached: &FakeMemcached, strategy: &str) -> String {
    format!(
        "memcached_servers = {}\nmemcache_security_strategy = {strategy}\nmemcache_secret_key = k",
        memcached.address()
    )
}

#[tokio::test]
async fn what_one_service_was_told_of_a_token_others_need_not_ask() {
    for (strategy, readable) in [("None", true), ("MAC", false), ("ENCRYPT", false)] {
        let (keystone, memcached) = (FakeKeystone::new().await, FakeMemcached::new().await);
        let (options, began) = (shared(&memcached, strategy), Instant::now());
        let first = Cloud::with_keystone(&keystone.url(), "", &options).await;
        assert_eq!(status(&first, "member").await, StatusCode::OK);
        while memcached.kept().is_empty() {
            assert!(began.elapsed() < PATIENCE, "it is not shared");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = Cloud::with_keystone(&keystone.url(), "", &options).await;
        assert_eq!(status(&second, "member").await, StatusCode::OK);
        assert_eq!(keystone.validated(), 1, "{strategy}");
        for (name, kept) in memcached.kept() {
            assert!(name.starts_with("tokens/") && !name.contains("member"));
            let text = String::from_utf8(kept).unwrap();
            assert_eq!(text.contains("expires_at"), readable, "{strategy}");
        }
        // What somebody else put there is asked for anew, and nobody is refused for it.
        memcached.spoil(br#"{"token": {"user": {"id": "root"}}}"#);
        let third = Cloud::with_keystone(&keystone.url(), "", &options).await;
        assert_eq!(status(&third, "member").await, StatusCode::OK);
        assert_eq!(keystone.validated(), 2, "{strategy}");
    }
}

#[tokio::test]
async fn nothing_is_shared_where_nothing_is_believed() {
    let (keystone, memcached) = (FakeKeystone::new().await, FakeMemcached::new().await);
    let options = format!("{}\n{FRESH}", shared(&memcached, "None"));
    let cloud = Cloud::with_keystone(&keystone.url(), "", &options).await;
    for asked in 1..3 {
        assert_eq!(status(&cloud, "member").await, StatusCode::OK);
        assert_eq!(keystone.validated(), asked);
    }
    assert!(memcached.kept().is_empty());
}

#[tokio::test]
async fn memcached_that_is_silent_or_away_is_not_waited_for() {
    let keystone = FakeKeystone::new().await;
    let silent = FakeMemcached::silent().await;
    for servers in [silent.address(), "127.0.0.1:1".to_owned()] {
        let options = format!("memcached_servers = {servers}\nmemcache_pool_socket_timeout = 30");
        let cloud = Cloud::with_keystone(&keystone.url(), "", &options).await;
        let began = Instant::now();
        for token in ["member", "reader", "admin", "member"] {
            assert_eq!(status(&cloud, token).await, StatusCode::OK, "{servers}");
        }
        // One of them waits for a quarter of a second, and not for as long as the option says.
        assert!(began.elapsed() < Duration::from_secs(25), "{servers}");
    }
}
