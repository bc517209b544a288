//! Rules in which another server has a say.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::{Answer, Asked, Cloud, Judge, certificate};

/// A service where this rule says who may delete an image, with options of `[oslo_policy]`.
async fn where_deletion_is(rule: &str, options: &str) -> Cloud {
    let options = format!("[oslo_policy]\npolicy_file = policy.yaml\n{options}\n");
    let policy = json!({ "delete_image": rule }).to_string();
    Cloud::with_files(&options, &[("policy.yaml", &policy)]).await
}

/// What a member hears who deletes an image of its own.
async fn deleting(cloud: &Cloud) -> Answer {
    let image = json!({"name": "a b/../c", "visibility": "shared", "os_distro": "plan9"});
    let id = cloud.member().create(&image).await;
    cloud.member().delete(&format!("/v2/images/{id}")).await
}

#[track_caller]
fn parts(asked: &Asked) -> Vec<(String, Value)> {
    assert_eq!(asked.kind, "application/x-www-form-urlencoded");
    form_urlencoded::parse(asked.body.as_bytes())
        .map(|(name, part)| {
            (
                name.into_owned(),
                serde_json::from_str(&part).expect("JSON"),
            )
        })
        .collect()
}

#[tokio::test]
async fn another_server_decides() {
    let judge = Judge::new().await;
    for (answer, status) in [
        ("yes", StatusCode::NO_CONTENT),
        ("quoted", StatusCode::NO_CONTENT),
        ("no", StatusCode::FORBIDDEN),
        ("wordy", StatusCode::FORBIDDEN),
        ("refused", StatusCode::FORBIDDEN),
        ("redirected", StatusCode::FORBIDDEN),
    ] {
        let cloud = where_deletion_is(&judge.says(answer), "").await;
        assert_eq!(deleting(&cloud).await.status, status, "{answer}");
    }
}

#[tokio::test]
async fn it_is_told_the_rule_the_image_and_the_caller() {
    let judge = Judge::new().await;
    let cloud = where_deletion_is(&judge.says("yes/%(name)s"), "").await;
    assert_eq!(deleting(&cloud).await.status, StatusCode::NO_CONTENT);
    let asked = judge.asked();
    let [asked] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(asked.path, "/yes/a%20b%2F..%2Fc");
    let parts = parts(asked);
    let [(rule, name), (target, image), (credentials, caller)] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(
        [rule, target, credentials],
        ["rule", "target", "credentials"]
    );
    assert_eq!(name, "delete_image");
    for (fact, value) in [
        ("name", json!("a b/../c")),
        ("project_id", json!("aaaa0000aaaa0000aaaa0000aaaa0000")),
        ("visibility", json!("shared")),
        ("min_disk", json!(0)),
        ("protected", json!(false)),
        ("checksum", Value::Null),
        ("os_distro", json!("plan9")),
    ] {
        assert_eq!(image[fact], value, "{fact}");
    }
    assert_eq!(caller["user_id"], "user");
    assert_eq!(caller["roles"], json!(["member", "reader"]));
    assert_eq!(caller.get("domain_id"), Some(&Value::Null));
    assert_eq!(caller.get("system"), None);
}

#[tokio::test]
async fn it_is_told_in_json_where_the_operator_wants_it_so() {
    let judge = Judge::new().await;
    let options = "remote_content_type = application/json";
    let cloud = where_deletion_is(&judge.says("yes"), options).await;
    assert_eq!(deleting(&cloud).await.status, StatusCode::NO_CONTENT);
    let asked = judge.asked();
    assert_eq!(asked[0].kind, "application/json");
    let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
    assert_eq!(body["rule"], "delete_image");
    assert_eq!(body["target"]["name"], "a b/../c");
    assert_eq!(body["credentials"]["user_id"], "user");
}

#[tokio::test]
async fn a_server_that_does_not_answer_refuses_in_time_and_so_does_its_opposite() {
    let mut judge = Judge::new().await;
    let silent = judge.says("silent");
    let options = "remote_timeout = 0.3";
    for rule in [
        silent.clone(),
        format!("not {silent}"),
        format!("{silent} or @"),
    ] {
        let cloud = where_deletion_is(&rule, options).await;
        let start = Instant::now();
        assert_eq!(
            deleting(&cloud).await.status,
            StatusCode::FORBIDDEN,
            "{rule}"
        );
        // Without the option it is a minute.
        assert!(start.elapsed() < Duration::from_secs(50));
    }
    judge.leave().await;
    let cloud = where_deletion_is(&format!("not {}", judge.says("no")), "").await;
    assert_eq!(deleting(&cloud).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_server_is_asked_only_where_its_word_counts_and_once_for_a_question() {
    let judge = Judge::new().await;
    let (yes, no) = (judge.says("yes"), judge.says("no"));
    for (rule, allowed, asked) in [
        (format!("role:member or {yes}"), true, 0),
        (format!("role:auditor and {yes}"), false, 0),
        (format!("not {no} and {yes} and {yes}"), true, 2),
    ] {
        let before = judge.asked().len();
        let cloud = where_deletion_is(&rule, "").await;
        let status = deleting(&cloud).await.status;
        assert_eq!(status == StatusCode::NO_CONTENT, allowed, "{rule}");
        assert_eq!(judge.asked().len() - before, asked, "{rule}");
    }
}

#[tokio::test]
async fn a_server_may_make_administrators_and_open_properties() {
    let judge = Judge::new().await;
    let policy = json!({"context_is_admin": judge.says("yes"), "seal": judge.says("no")});
    let protections = "[sealed]\ncreate = @\nread = seal\nupdate = @\ndelete = @\n\
        [.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n";
    let options = "property_protection_file = protections.conf\n\
        property_protection_rule_format = policies\n[oslo_policy]\npolicy_file = policy.yaml\n";
    let files = [
        ("policy.yaml", &*policy.to_string()),
        ("protections.conf", protections),
    ];
    let cloud = Cloud::with_files(options, &files).await;
    let image = json!({"visibility": "public", "sealed": "x", "open": "y"});
    let made = cloud.reader().post("/v2/images", &image).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!((made.get("sealed"), &made["open"]), (None, &json!("y")));
}

#[tokio::test]
async fn a_certificate_is_checked_where_the_operator_wants_it_so() {
    let (shown, key) = certificate();
    let (other, _) = certificate();
    let judge = Judge::with(&shown, &key).await;
    let rule = judge.says("yes");
    let files = [("shown.pem", &*shown.pem()), ("other.pem", &*other.pem())];
    for (options, status) in [
        ("", StatusCode::NO_CONTENT),
        ("remote_ssl_verify_server_crt = true", StatusCode::FORBIDDEN),
        (
            "remote_ssl_verify_server_crt = true\nremote_ssl_ca_crt_file = {shown}",
            StatusCode::NO_CONTENT,
        ),
        (
            "remote_ssl_verify_server_crt = true\nremote_ssl_ca_crt_file = {other}",
            StatusCode::FORBIDDEN,
        ),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut options = options.to_owned();
        for (name, pem) in files {
            let path = dir.path().join(name);
            std::fs::write(&path, pem).expect("a file");
            let key = format!("{{{}}}", name.trim_end_matches(".pem"));
            options = options.replace(&key, &path.display().to_string());
        }
        let cloud = where_deletion_is(&rule, &options).await;
        assert_eq!(deleting(&cloud).await.status, status, "{options}");
    }
}
