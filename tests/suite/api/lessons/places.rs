//! Places that data is in, and what is told of them.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::{WEB, web};
use super::formats;
use crate::support::{Cloud, Judge, Origin, certificate};

const SHOWN: &str =
    "show_multiple_locations = true\nshow_image_direct_url = true\nhttp_retries = 1";
const SECRET: &str = "hunter2";

fn add(url: &str) -> Value {
    json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}])
}

/// The address with credentials in it.
fn with_credentials(url: &str) -> String {
    url.replacen("//", &format!("//glance:{SECRET}@"), 1)
}

#[tokio::test]
async fn cve_2013_1840_headers_of_a_download_name_no_place() {
    let origin = Origin::new().await;
    let cloud = Cloud::with_stores(SHOWN, &web(&origin)).await;
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let url = with_credentials(&origin.url("/bytes/5000"));
    let added = cloud.member().patch(&path, &add(&url)).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.text());
    // From the store, and then from the cache.
    for _ in 0..2 {
        let data = cloud.member().get(&format!("{path}/file")).await;
        assert_eq!(data.body.len(), 5000);
        for (name, value) in &data.headers {
            let value = value.to_str().expect("text");
            let leaks = [SECRET, "127.0.0.1", "/bytes/"].map(|secret| value.contains(secret));
            assert_eq!(leaks, [false; 3], "{name}: {value}");
            let told = name.as_str().starts_with("x-image-meta") || name.as_str() == "location";
            assert!(!told, "{name}");
        }
    }
    let fetched = origin
        .asked()
        .iter()
        .filter(|asked| asked.starts_with("GET"))
        .count();
    assert_eq!(fetched, 1, "the second came from the cache");
}

#[tokio::test]
async fn cve_2013_4111_a_web_server_is_believed_by_its_certificate_where_the_operator_wants_it() {
    let (shown, key) = certificate();
    let server = Judge::with(&shown, &key).await;
    let url = server.says("yes");
    let port = url
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('/').next());
    let stores = web_on(port.expect("a port"));
    let dir = tempfile::tempdir().expect("a directory");
    let believed = dir.path().join("believed.pem");
    std::fs::write(&believed, shown.pem()).expect("a file");
    let believing = format!("https_ca_certificates_file = {}\n", believed.display());
    for (options, taken) in [("https_insecure = false\n", false), (&believing, true)] {
        let stores = stores.replacen("[import", &format!("{options}[import"), 1);
        let cloud = Cloud::with_stores(SHOWN, &stores).await;
        let id = cloud.member().create(&formats()).await;
        let added = cloud
            .member()
            .patch(&format!("/v2/images/{id}"), &add(&url))
            .await;
        assert_eq!(
            added.status.is_success(),
            taken,
            "{options}: {}",
            added.text()
        );
        assert_eq!(server.asked().is_empty(), !taken, "{options}");
    }
}

fn web_on(port: &str) -> String {
    format!(
        "{}allowed_hosts = [127.0.0.1]\n",
        WEB.replace("{port}", port)
    )
}

#[tokio::test]
async fn cve_2014_1948_no_error_tells_the_credentials_of_a_store() {
    let origin = Origin::new().await;
    let cloud = Cloud::with_stores(SHOWN, &web(&origin)).await;
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let url = with_credentials(&origin.url("/bytes/5000"));
    let refused = [
        with_credentials(&origin.url("/status/500")),
        with_credentials(&origin.url("/status/404")),
        url.replace("http:", "ftp:"),
        url.replace("127.0.0.1", "127.0.0.2"),
    ];
    for url in refused {
        let answer = cloud.member().patch(&path, &add(&url)).await;
        assert!(answer.status.is_client_error(), "{url}");
        assert!(!answer.text().contains(SECRET), "{}", answer.text());
        let call = format!("{path}/locations");
        let answer = cloud.member().post(&call, &json!({"url": url})).await;
        if !answer.status.is_success() && !answer.text().contains("does not pass filtering") {
            // A refusal of the filter repeats what its caller has just said.
            assert!(!answer.text().contains(SECRET), "{}", answer.text());
        }
    }
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let added = cloud.member().patch(&path, &add(&url)).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.text());
    origin.close().await;
    let failed = cloud.member().get(&format!("{path}/file")).await;
    assert!(!failed.status.is_success());
    assert!(!failed.text().contains(SECRET), "{}", failed.text());
}

#[tokio::test]
async fn cve_2014_9493_no_location_names_a_file_of_the_host() {
    let origin = Origin::new().await;
    let cloud = Cloud::with_stores(SHOWN, &web(&origin)).await;
    let other = cloud.neighbour().create_with(b"of a neighbour").await;
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let secret = cloud.path("secret");
    std::fs::write(&secret, "of the host").expect("a file");
    let neighbours = cloud.store_dir().join(&other);
    for place in [&secret, &neighbours] {
        for scheme in [
            "file",
            "FILE",
            "filesystem",
            "swift+config",
            "cinder",
            "rbd",
        ] {
            let url = format!("{scheme}://{}", place.display());
            for who in [cloud.member(), cloud.admin()] {
                let patched = who.patch(&path, &add(&url)).await;
                assert!(
                    patched.status.is_client_error(),
                    "{url}: {}",
                    patched.status
                );
            }
            let call = format!("{path}/locations");
            let called = cloud.member().post(&call, &json!({"url": url})).await;
            assert!(called.status.is_client_error(), "{url}: {}", called.status);
        }
    }
    let image = cloud.member().get(&path).await.json();
    assert_eq!(
        (&image["status"], &image["locations"]),
        (&json!("queued"), &json!([]))
    );
    assert_eq!(
        cloud.member().get(&format!("{path}/file")).await.body.len(),
        0
    );
}

#[tokio::test]
async fn cve_2016_0757_an_active_image_keeps_its_data() {
    let origin = Origin::new().await;
    let cloud = Cloud::with_stores(SHOWN, &web(&origin)).await;
    let id = cloud.member().create(&formats()).await;
    let path = format!("/v2/images/{id}");
    let added = cloud
        .member()
        .patch(&path, &add(&origin.url("/bytes/5000")))
        .await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.text());
    let other = json!([{"url": origin.url("/plain/4000"), "metadata": {}}]);
    let removal = json!([{"op": "remove", "path": "/locations/0"}]);
    for deactivated in [false, true] {
        if deactivated {
            let call = format!("{path}/actions/deactivate");
            let done = cloud.admin().speak("POST", &call, "").await;
            assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text());
        }
        for who in [cloud.member(), cloud.admin()] {
            for change in [
                json!([{"op": "replace", "path": "/locations", "value": []}]),
                json!([{"op": "replace", "path": "/locations", "value": other}]),
                removal.clone(),
            ] {
                let refused = who.patch(&path, &change).await;
                assert!(
                    refused.status.is_client_error(),
                    "{change}: {}",
                    refused.status
                );
            }
            let refused = who.upload(&id, b"other data").await;
            assert_eq!(refused.status, StatusCode::CONFLICT);
        }
        let image = cloud.admin().get(&path).await.json();
        assert_eq!(image["locations"].as_array().map(Vec::len), Some(1));
    }
    let data = cloud.admin().get(&format!("{path}/file")).await;
    assert_eq!(&data.body[..], Origin::bytes(5000));
}

#[tokio::test]
async fn cve_2026_34881_nobody_sends_us_on_to_where_clients_may_not_send_us() {
    let (door, inner) = (Origin::new().await, Origin::new().await);
    let cloud = Cloud::with_stores(SHOWN, &web(&door)).await;
    for target in [
        inner.url("/bytes/10"),
        inner.url("/bytes/10").replace("127.0.0.1", "localhost"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let id = cloud.member().create(&formats()).await;
        let path = format!("/v2/images/{id}");
        let url = door.url(&format!("/to/302?{target}"));
        let refused = cloud.member().patch(&path, &add(&url)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{target}");
        let image = cloud.member().get(&path).await.json();
        assert_eq!(image["status"], "queued", "{target}");
    }
    assert_eq!(door.asked().len(), 4);
    assert!(inner.asked().is_empty(), "{:?}", inner.asked());
}
