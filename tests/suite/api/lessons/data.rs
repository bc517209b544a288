//! Data, and who gets at it.

use axum::body::{Body, Bytes};
use http::header::{CONTENT_TYPE, HeaderName, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{files_in, formats, until, waiting};
use crate::support::Cloud;

#[tokio::test]
async fn cve_2012_4573_who_may_not_delete_an_image_deletes_no_data_either() {
    for delayed in ["", "delayed_delete = true"] {
        let cloud = Cloud::with(delayed).await;
        let id = cloud.member().create_with(b"the data").await;
        let path = format!("/v2/images/{id}");
        for visibility in ["private", "shared", "community"] {
            let change = json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
            let changed = cloud.member().patch(&path, &change).await;
            assert_eq!(changed.status, StatusCode::OK);
            let refused = cloud.neighbour().delete(&path).await;
            assert!(refused.status.is_client_error(), "{visibility}");
            let refused = cloud.reader().delete(&path).await;
            assert!(refused.status.is_client_error(), "{visibility}");
        }
        let data = cloud.member().get(&format!("{path}/file")).await;
        assert_eq!(&data.body[..], b"the data");
        let image = cloud.member().get(&path).await.json();
        assert_eq!(image["status"], "active");
    }
}

#[tokio::test]
async fn cve_2013_4428_a_cached_copy_is_kept_from_those_who_may_not_read_the_data() {
    let options = "[oslo_policy]\npolicy_file = policy.yaml\n";
    let files = [("policy.yaml", "download_image: role:admin\n")];
    let cloud = Cloud::with_files(options, &files).await;
    let id = cloud.member().create_with(b"top secret").await;
    let file = format!("/v2/images/{id}/file");
    let refused = cloud.member().get(&file).await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "nothing is cached yet"
    );
    assert_eq!(&cloud.admin().get(&file).await.body[..], b"top secret");
    until("a copy", async || {
        let cache = cloud.admin().get("/v2/cache").await.text();
        cache.contains(&id)
    })
    .await;
    for who in [cloud.member(), cloud.reader()] {
        let part = who
            .get_with(&file, &[(http::header::RANGE, "bytes=0-3")])
            .await;
        for refused in [who.get(&file).await, part] {
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(!refused.text().contains("top"), "{}", refused.text());
        }
    }
    let unseen = cloud.neighbour().get(&file).await;
    assert_eq!(unseen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn cve_2014_5356_the_cap_holds_for_the_data_and_not_for_what_is_said_of_it() {
    let cloud = Cloud::with("image_size_cap = 10").await;
    let data: &'static [u8] = b"twenty bytes of data";
    let small = HeaderName::from_static("x-image-meta-size");
    let declared = HeaderName::from_static("x-openstack-image-size");
    for lie in [None, Some(small), Some(declared)] {
        let id = cloud.member().create(&formats()).await;
        let mut headers = vec![
            (CONTENT_TYPE, "application/octet-stream"),
            (TRANSFER_ENCODING, "chunked"),
        ];
        headers.extend(lie.clone().map(|name| (name, "5")));
        let path = format!("/v2/images/{id}");
        let chunks = futures_util::stream::iter(data.chunks(7).map(Ok::<_, std::io::Error>));
        let body = Body::from_stream(chunks);
        let upload = cloud.member();
        let refused = upload
            .request(Method::PUT, &format!("{path}/file"), &headers, body)
            .await;
        assert!(
            refused.status.is_client_error(),
            "{lie:?}: {}",
            refused.status
        );
        let image = cloud.member().get(&path).await.json();
        assert_eq!(
            (&image["status"], &image["size"]),
            (&json!("queued"), &Value::Null)
        );
        assert_eq!(files_in(&cloud.store_dir()), 0, "{lie:?}");
    }
}

#[tokio::test]
async fn cve_2014_9684_an_image_that_is_deleted_while_it_is_uploaded_leaves_no_data() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let (sender, body) = waiting();
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (TRANSFER_ENCODING, "chunked"),
    ];
    let member = cloud.member();
    let file = format!("{path}/file");
    let upload = member.request(Method::PUT, &file, &headers, body);
    let meddling = async {
        let half = sender.send(Ok(Bytes::from(vec![7; 1 << 20]))).await;
        half.expect("somebody who reads");
        until("the upload begins", async || {
            cloud.member().get(&path).await.json()["status"] == "saving"
        })
        .await;
        assert_eq!(
            cloud.member().delete(&path).await.status,
            StatusCode::NO_CONTENT
        );
        // Where nobody reads any more, the upload was ended already.
        let _ = sender.send(Ok(Bytes::from_static(b"the rest"))).await;
        drop(sender);
    };
    let (answer, ()) = tokio::join!(upload, meddling);
    assert!(!answer.status.is_success(), "{}", answer.status);
    assert_eq!(files_in(&cloud.store_dir()), 0);
}

#[tokio::test]
async fn cve_2015_5251_a_status_is_not_the_clients_to_set() {
    let cloud = Cloud::new().await;
    for status in ["queued", "active", "deleted", "killed"] {
        let made = cloud
            .member()
            .post("/v2/images", &json!({"status": status}))
            .await;
        assert_eq!(made.status, StatusCode::FORBIDDEN, "{status}");
    }
    let id = cloud.member().create_with(b"the data").await;
    let path = format!("/v2/images/{id}");
    for op in ["replace", "add"] {
        for field in ["status", "checksum", "os_hash_value", "size", "id"] {
            let change = json!([{"op": op, "path": format!("/{field}"), "value": "queued"}]);
            for who in [cloud.member(), cloud.admin()] {
                let refused = who.patch(&path, &change).await;
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{op} {field}");
            }
        }
    }
    let status = HeaderName::from_static("x-image-meta-status");
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (status, "queued"),
    ];
    for (method, path) in [
        (Method::PUT, path.clone()),
        (Method::PUT, format!("/v1/images/{id}")),
        (Method::PUT, format!("{path}/file")),
    ] {
        let body = Body::from("other data");
        let refused = cloud.admin().request(method, &path, &headers, body).await;
        assert!(!refused.status.is_success(), "{path}: {}", refused.status);
    }
    assert_eq!(cloud.member().get(&path).await.json()["status"], "active");
    assert_eq!(
        &cloud.member().get(&format!("{path}/file")).await.body[..],
        b"the data"
    );
}

#[tokio::test]
async fn ossn_0005_an_image_that_its_member_has_not_accepted_is_in_no_list() {
    let cloud = Cloud::new().await;
    let image = json!({"name": "poisoned", "visibility": "shared"});
    let id = cloud.member().create(&image).await;
    let neighbour = "bbbb0000bbbb0000bbbb0000bbbb0000";
    let members = format!("/v2/images/{id}/members");
    cloud
        .member()
        .post(&members, &json!({"member": neighbour}))
        .await;
    let own = format!("{members}/{neighbour}");
    // Nor does the owner accept for its member.
    let forced = cloud.member().put(&own, r#"{"status": "accepted"}"#).await;
    assert_eq!(forced.status, StatusCode::FORBIDDEN, "{}", forced.text());
    for list in [
        "/v2/images",
        "/v2/images?visibility=shared",
        "/v2/images?name=poisoned",
    ] {
        let shown = cloud.neighbour().get(list).await.text();
        assert!(!shown.contains(&id), "{list}");
    }
    let accepted = cloud
        .neighbour()
        .put(&own, r#"{"status": "accepted"}"#)
        .await;
    assert_eq!(accepted.status, StatusCode::OK);
    assert!(
        cloud
            .neighbour()
            .get("/v2/images")
            .await
            .text()
            .contains(&id)
    );
}

#[tokio::test]
async fn ossn_0075_the_id_of_a_deleted_image_is_never_used_again() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"trusted").await;
    cloud.member().delete(&format!("/v2/images/{id}")).await;
    for who in [cloud.neighbour(), cloud.member(), cloud.admin()] {
        let again = who.post("/v2/images", &json!({"id": id})).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());
    }
}
