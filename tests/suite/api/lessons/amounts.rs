//! How much, how often, and for how long.

use std::time::Duration;

use futures_util::future::join_all;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use serde_json::json;

use super::{files_in, formats, until, waiting};
use crate::support::{Cloud, FakeKeystone};

/// The attack fills the store beyond any quota: data of deleted images is nobody's, and goes on to come.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2014_9623_data_of_an_image_that_is_deleted_meanwhile_does_not_go_on_to_come() {
    let cloud = Cloud::with("user_storage_quota = 4MiB").await;
    for declared in [None, Some("4000000")] {
        let id = cloud.member().create(&formats()).await;
        let path = format!("/v2/images/{id}");
        let file = format!("{path}/file");
        let (sender, body) = waiting();
        let octets = (CONTENT_TYPE, "application/octet-stream");
        let length = declared.map_or((TRANSFER_ENCODING, "chunked"), |size| {
            (CONTENT_LENGTH, size)
        });
        let headers = [octets, length];
        let member = cloud.member();
        let upload = member.request(Method::PUT, &file, &headers, body);
        let meddling = async {
            sender.send(Ok("begun".into())).await.expect("a reader");
            until("the upload begins", async || {
                member.get(&path).await.json()["status"] == "saving"
            })
            .await;
            let deleted = member.delete(&path).await;
            assert_eq!(deleted.status, StatusCode::NO_CONTENT);
            // Slow enough for all of it to fit, if anybody took it.
            let mut sent = 0;
            while sender.send(Ok("more".into())).await.is_ok() {
                sent += 1;
                assert!(sent < 1200, "still taken: {declared:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let (answer, ()) = tokio::join!(upload, meddling);
        assert_eq!(answer.status, StatusCode::GONE, "{}", answer.text());
        until("nothing is left", async || {
            files_in(&cloud.store_dir()) == 0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2015_5286_an_upload_whose_token_ends_meanwhile_leaves_no_data_without_an_image() {
    let token = HeaderName::from_static("x-auth-token");
    let keystone = FakeKeystone::new().await;
    let cloud = Cloud::with_keystone(&keystone.url(), "", "token_cache_time = -1").await;
    let member = cloud.member();
    let headers = [(token.clone(), "member")];
    let document = formats().to_string();
    let length = document.len().to_string();
    let described = [
        headers[0].clone(),
        (CONTENT_TYPE, "application/json"),
        (CONTENT_LENGTH, &*length),
    ];
    let made = member.request(Method::POST, "/v2/images", &described, document.into());
    let id = made.await.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v2/images/{id}");
    let (sender, body) = waiting();
    let octets = (CONTENT_TYPE, "application/octet-stream");
    let chunked = (TRANSFER_ENCODING, "chunked");
    let all = [headers[0].clone(), octets, chunked];
    let file = format!("{path}/file");
    let upload = member.request(Method::PUT, &file, &all, body);
    let meddling = async {
        sender.send(Ok("half".into())).await.expect("a reader");
        until("the upload begins", async || {
            member.get_with(&path, &headers).await.json()["status"] == "saving"
        })
        .await;
        keystone.revoke("member");
        let refused = member.get_with(&path, &headers).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        sender.send(Ok(" and half".into())).await.expect("a reader");
        drop(sender);
    };
    let (answer, ()) = tokio::join!(upload, meddling);
    // It was let in when it began: its data is an image's.
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    let admin = [(token, "admin")];
    let image = member.get_with(&path, &admin).await.json();
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(13))
    );
    assert_eq!(files_in(&cloud.store_dir()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2016_8611_a_project_makes_no_images_without_end() {
    let stores = "[glance_store]\nstores = file\ndefault_store = file\n\
                  filesystem_store_datadir = {dir}/images\n\
                  [request_limits]\nproject_rate = 0.01\nproject_burst = 5\n";
    let cloud = Cloud::with_stores("", stores).await;
    let member = cloud.member();
    let empty = json!({});
    let made = join_all((0..20).map(|_| member.post("/v2/images", &empty))).await;
    let with = |status| made.iter().filter(move |answer| answer.status == status);
    assert_eq!(with(StatusCode::CREATED).count(), 5);
    assert_eq!(with(StatusCode::TOO_MANY_REQUESTS).count(), 15);
    for refused in with(StatusCode::TOO_MANY_REQUESTS) {
        assert!(refused.headers.contains_key(RETRY_AFTER));
    }
    // Others are not kept waiting by that.
    let other = cloud.neighbour().post("/v2/images", &empty).await;
    assert_eq!(other.status, StatusCode::CREATED);
}

#[tokio::test]
async fn ossn_0013_the_first_rule_for_a_property_decides_and_no_later_one_opens_it_again() {
    let section = |name: &str, who: &str| {
        format!("[{name}]\ncreate = {who}\nread = {who}\nupdate = {who}\ndelete = {who}\n")
    };
    let protections = [
        section("^x_billing_.*", "!"),
        section("^x_.*", "admin"),
        section(".*", "@"),
    ];
    let files = [("protections.conf", &*protections.concat())];
    let cloud = Cloud::with_files("property_protection_file = protections.conf", &files).await;
    let id = cloud.member().create(&json!({"free": "y"})).await;
    let path = format!("/v2/images/{id}");
    let add = |name: &str| json!([{"op": "add", "path": format!("/{name}"), "value": "v"}]);
    for (client, name, status) in [
        (cloud.member(), "x_owner", StatusCode::FORBIDDEN),
        (cloud.member(), "x_billing_code", StatusCode::FORBIDDEN),
        (cloud.admin(), "x_billing_code", StatusCode::FORBIDDEN),
        (cloud.admin(), "x_owner", StatusCode::OK),
        (cloud.member(), "colour", StatusCode::OK),
    ] {
        let answer = client.patch(&path, &add(name)).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let shown = cloud.member().get(&path).await.json();
    let has = |name| shown.get(name).is_some();
    assert_eq!(
        (has("free"), has("x_owner"), has("x_billing_code")),
        (true, false, false)
    );
}
