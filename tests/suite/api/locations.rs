//! Where data is, changed by patches.

use http::StatusCode;
use http::header::RANGE;
use serde_json::{Value, json};

use super::web;
use crate::support::{Cloud, Origin};

const SHOWN: &str = "show_multiple_locations = true\nshow_image_direct_url = true";

async fn cloud(origin: &Origin) -> Cloud {
    with(origin, "").await
}

async fn with(origin: &Origin, options: &str) -> Cloud {
    Cloud::with_stores(&format!("{SHOWN}\n{options}"), &web(origin)).await
}

async fn queued(cloud: &Cloud) -> String {
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    format!("/v2/images/{id}")
}

fn add(url: &str) -> Value {
    add_with(&json!({"url": url, "metadata": {}}))
}

fn add_with(location: &Value) -> Value {
    json!([{"op": "add", "path": "/locations/-", "value": location}])
}

/// Patches, and gives status and sentence of the refusal.
async fn refused(cloud: &Cloud, path: &str, changes: &Value) -> (u16, String) {
    let answer = cloud.member().patch(path, changes).await;
    (answer.status.as_u16(), answer.sentence())
}

#[tokio::test]
async fn an_image_with_a_web_location_is_read_there_once_and_then_from_the_cache() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    let url = origin.url("/bytes/5000");
    let image = cloud.member().patch(&path, &add(&url)).await.json();
    assert_eq!(image["status"], "active");
    assert_eq!(image["size"], 5000);
    assert_eq!(image["direct_url"], url.as_str());
    assert_eq!(image["checksum"], Value::Null);

    let file = format!("{path}/file");
    let part = [(RANGE, "bytes=10-19")];
    let early = cloud.member().get_with(&file, &part).await;
    assert_eq!(early.status, StatusCode::PARTIAL_CONTENT);
    assert!(early.body == Origin::bytes(20)[10..]);
    for _ in 0..2 {
        let data = cloud.member().get(&file).await;
        assert!(data.body == Origin::bytes(5000));
    }
    let part = cloud.member().get_with(&file, &part).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.body == Origin::bytes(20)[10..]);
    assert_eq!(origin.asked(), ["HEAD /bytes/5000", "GET /bytes/5000"]);
}

#[tokio::test]
async fn a_download_goes_on_to_the_next_location_where_one_fails() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let id = cloud.member().create_with(b"\0\x01\x02\x03\x04").await;
    let path = format!("/v2/images/{id}");
    let url = origin.url("/bytes/5");
    let first = json!([{
        "op": "add", "path": "/locations/0", "value": {"url": url, "metadata": {}},
    }]);
    let image = cloud.member().patch(&path, &first).await.json();
    assert_eq!(image["direct_url"], url.as_str());
    // Once it is written down it is the last.
    let image = cloud.member().get(&path).await.json();
    assert_eq!(image["locations"][1]["url"], url.as_str());
    std::fs::remove_file(cloud.store_dir().join(&id)).unwrap();
    let read = cloud.member().get(&format!("{path}/file")).await;
    assert_eq!(read.body, Origin::bytes(5));
}

#[tokio::test]
async fn a_server_that_is_away_is_told_from_data_that_is_lost() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    cloud
        .member()
        .patch(&path, &add(&origin.url("/bytes/10")))
        .await;
    origin.close().await;
    let away = cloud.member().get(&format!("{path}/file")).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        away.sentence(),
        "Remote server where the image is present is unavailable."
    );
}

#[tokio::test]
async fn places_of_this_machine_are_never_taken_nor_looked_at() {
    let origin = Origin::new().await;
    // Without a list of allowed hosts this machine is out of reach.
    let cloud = Cloud::with_stores(
        SHOWN,
        &super::WEB.replace("{port}", &origin.port().to_string()),
    )
    .await;
    let path = queued(&cloud).await;
    for url in [
        "file:///etc/hostname",
        "FILE:///etc/hostname",
        "filesystem:///etc/hostname",
        "swift+config://a/b/c",
        "ftp://127.0.0.1/x",
        "HTTP://127.0.0.1/x",
        "nonsense",
        "",
    ] {
        let answer = refused(&cloud, &path, &add(url)).await;
        assert_eq!(answer, (400, "Invalid location".to_owned()), "{url}");
    }
    let port = origin.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0x7f000001",
        "127.1",
        "a@127.0.0.1",
    ] {
        let answer = refused(
            &cloud,
            &path,
            &add(&format!("http://{host}:{port}/bytes/5")),
        )
        .await;
        let malformed = (400, "The Store URI was malformed.".to_owned());
        assert_eq!(answer, malformed, "{host}");
    }
    assert!(origin.asked().is_empty());
    let image = cloud.member().get(&path).await.json();
    assert_eq!(
        (&image["status"], &image["locations"]),
        (&json!("queued"), &json!([]))
    );
}

#[tokio::test]
async fn an_address_that_is_none_of_the_web_is_malformed_and_nobody_is_asked() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    let with = |credentials: &str| {
        origin
            .url("/bytes/5")
            .replacen("//", &format!("//{credentials}@"), 1)
    };
    for url in [
        "http:".to_owned(),
        "http:\\\\127.0.0.1".to_owned(),
        with("name"),
        with("a:b:c"),
    ] {
        let answer = refused(&cloud, &path, &add(&url)).await;
        let malformed = (400, "The Store URI was malformed.".to_owned());
        assert_eq!(answer, malformed, "{url}");
    }
    assert!(origin.asked().is_empty());
    let answer = cloud.member().patch(&path, &add(&with("name:word"))).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn an_image_has_no_more_locations_than_its_quota() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "image_location_quota = 2").await;
    let path = queued(&cloud).await;
    for name in ["a", "b"] {
        let url = origin.url(&format!("/bytes/5/{name}"));
        let added = cloud.member().patch(&path, &add(&url)).await;
        assert_eq!(added.status, StatusCode::OK);
    }
    assert_eq!(
        refused(&cloud, &path, &add(&origin.url("/bytes/5/c"))).await,
        (
            413,
            "The limit has been exceeded on the number of allowed image locations. Attempted: 3, Maximum: 2"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn locations_count_towards_what_a_project_may_keep() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "user_storage_quota = 100B").await;
    let path = queued(&cloud).await;
    let added = cloud
        .member()
        .patch(&path, &add(&origin.url("/bytes/60")))
        .await;
    assert_eq!(added.status, StatusCode::OK);
    let sentence = "Denying attempt to upload image because it exceeds the quota: The size of the data 60 \
                    will exceed the limit. 40 bytes remaining.";
    for changes in [add(&origin.url("/bytes/60/again"))] {
        assert_eq!(
            refused(&cloud, &path, &changes).await,
            (413, sentence.to_owned())
        );
    }
    let other = queued(&cloud).await;
    let two = json!([{"op": "replace", "path": "/locations", "value": [
        {"url": origin.url("/bytes/30/a"), "metadata": {}},
        {"url": origin.url("/bytes/30/b"), "metadata": {}},
    ]}]);
    let (status, _) = refused(&cloud, &other, &two).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn what_a_client_says_of_the_data_is_noted_where_it_can_be_true() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    let data = |algorithm: &str, value: &str| {
        add_with(&json!({
            "url": origin.url("/bytes/5"), "metadata": {},
            "validation_data": {
                "checksum": "b".repeat(32), "os_hash_algo": algorithm, "os_hash_value": value,
            },
        }))
    };
    assert_eq!(
        refused(&cloud, &path, &data("md5", "aa")).await,
        (409, "os_hash_algo must be sha512, not md5".to_owned())
    );
    let good = "a".repeat(128);
    let image = cloud
        .member()
        .patch(&path, &data("sha512", &good))
        .await
        .json();
    assert_eq!(
        image["locations"][0]["validation_data"]["os_hash_algo"],
        "sha512"
    );
    let kept = cloud.member().get(&path).await.json();
    assert_eq!(kept["checksum"], "b".repeat(32).as_str());
    assert_eq!(kept["os_hash_value"], good.as_str());
    assert_eq!(kept["locations"][0].get("validation_data"), None);
}

#[tokio::test]
async fn notes_are_changed_by_replacing_all_locations_with_themselves() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    let urls = ["a", "b"].map(|name| origin.url(&format!("/bytes/5/{name}")));
    let replace = |notes: [&str; 2]| {
        let places: Value = std::iter::zip(&urls, notes)
            .map(|(url, note)| json!({"url": url, "metadata": {"note": note}}))
            .collect();
        (
            places.clone(),
            json!([{"op": "replace", "path": "/locations", "value": places}]),
        )
    };
    let (_, changes) = replace(["one", "two"]);
    let made = cloud.member().patch(&path, &changes).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let (places, changes) = replace(["three", "four"]);
    assert_eq!(
        cloud.member().patch(&path, &changes).await.json()["locations"],
        places
    );
    assert_eq!(cloud.member().get(&path).await.json()["locations"], places);

    let other = json!([{"op": "replace", "path": "/locations", "value": [places[0]]}]);
    let (status, sentence) = refused(&cloud, &path, &other).await;
    assert_eq!(status, 400);
    assert!(
        sentence.starts_with("Original locations is not empty: [{'url': "),
        "{sentence}"
    );
    let odd = add_with(&json!({"url": origin.url("/bytes/5/c"), "metadata": {"n": 5}}));
    let (status, sentence) = refused(&cloud, &path, &odd).await;
    assert_eq!(status, 400);
    assert!(sentence.starts_with("The image metadata key n has an invalid type of <class 'int'>."));
}

#[tokio::test]
async fn data_that_is_removed_is_deleted_and_what_is_left_can_be_read() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let id = cloud.member().create_with(b"twelve bytes").await;
    let path = format!("/v2/images/{id}");
    cloud
        .member()
        .patch(&path, &add(&origin.url("/bytes/12")))
        .await;
    let remove = json!([{"op": "remove", "path": "/locations/0"}]);
    let removed = cloud.admin().patch(&path, &remove).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text());
    assert!(!cloud.store_dir().join(&id).exists());
    let left = cloud.member().get(&path).await.json();
    assert_eq!(
        left["locations"],
        json!([{"url": origin.url("/bytes/12"), "metadata": {}}])
    );
}

#[tokio::test]
async fn data_that_is_deleted_later_is_only_taken_from_its_image() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "delayed_delete = true").await;
    let id = cloud.member().create_with(b"twelve bytes").await;
    let path = format!("/v2/images/{id}");
    cloud
        .member()
        .patch(&path, &add(&origin.url("/bytes/12")))
        .await;
    let remove = json!([{"op": "remove", "path": "/locations/0"}]);
    assert_eq!(
        cloud.admin().patch(&path, &remove).await.status,
        StatusCode::OK
    );
    assert!(cloud.store_dir().join(&id).exists());
}

#[tokio::test]
async fn of_many_who_add_the_same_location_one_does() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let path = queued(&cloud).await;
    let url = origin.url("/bytes/5");
    let all = (0..8).map(|_| async { cloud.member().patch(&path, &add(&url)).await.status });
    let all = futures_util::future::join_all(all).await;
    let done = all
        .iter()
        .filter(|status| **status == StatusCode::OK)
        .count();
    assert_eq!(done, 1, "{all:?}");
    let image = cloud.member().get(&path).await.json();
    assert_eq!(image["locations"].as_array().map(Vec::len), Some(1));
}
