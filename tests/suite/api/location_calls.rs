//! `/v2/images/{id}/locations` and `/v2/images/{id}/tasks`

use std::time::Duration;

use glance::domain::checksum::HashAlgorithm;
use http::StatusCode;
use serde_json::{Value, json};

use super::web;
use crate::support::{Cloud, Origin};

async fn with(origin: &Origin, options: &str) -> Cloud {
    let options = format!("show_multiple_locations = true\nhttp_retries = 1\n{options}");
    Cloud::with_stores(&options, &web(origin)).await
}

async fn queued(cloud: &Cloud) -> String {
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    format!("/v2/images/{id}")
}

async fn add(cloud: &Cloud, path: &str, document: &Value) {
    let added = cloud
        .member()
        .post(&format!("{path}/locations"), document)
        .await;
    assert_eq!(added.status, StatusCode::ACCEPTED, "{}", added.text());
    assert!(added.body.is_empty());
}

/// The image and its only task, once that has ended.
async fn ended(cloud: &Cloud, path: &str) -> (Value, Value) {
    let ending = async {
        loop {
            let tasks = cloud.member().get(&format!("{path}/tasks")).await.json();
            let image = cloud.member().get(path).await.json();
            let task = tasks["tasks"][0].clone();
            let over = task["status"] == "success" || task["status"] == "failure";
            if over && image.get("os_glance_import_task").is_none() {
                return (image, task);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ending)
        .await
        .expect("the task never ended")
}

fn digest(algorithm: HashAlgorithm, count: usize) -> String {
    let mut hasher = algorithm.hasher();
    hasher.update(&Origin::bytes(count));
    hasher.finish()
}

#[tokio::test]
async fn a_new_location_makes_its_image_active_and_is_hashed_afterwards() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    let path = queued(&cloud).await;
    let url = origin.url("/held/4000");
    add(&cloud, &path, &json!({"url": url})).await;
    let locked = cloud.member().get(&path).await.json();
    assert_eq!(locked["status"], "queued");
    assert!(locked["os_glance_import_task"].is_string());
    let again = cloud
        .member()
        .post(&format!("{path}/locations"), &json!({"url": url}))
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.sentence(), "Image has active task");
    origin.let_go();

    let (image, task) = ended(&cloud, &path).await;
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(4000))
    );
    assert_eq!(image["checksum"], digest(HashAlgorithm::Md5, 4000).as_str());
    assert_eq!(
        image["os_hash_value"],
        digest(HashAlgorithm::Sha512, 4000).as_str()
    );
    let id = image["id"].clone();
    assert_eq!(task["type"], "location_import");
    assert_eq!(task["result"], json!({"image_id": id}));
    assert_eq!(
        task["input"],
        json!({"image_id": id, "loc_url": url, "validation_data": {}})
    );

    let places = json!([{"url": url, "metadata": {}}]);
    let listed = cloud.admin().get(&format!("{path}/locations")).await.json();
    assert_eq!(listed, places);
    let community = json!([{"op": "replace", "path": "/visibility", "value": "community"}]);
    cloud.member().patch(&path, &community).await;
    let listed = cloud
        .service()
        .get(&format!("{path}/locations"))
        .await
        .json();
    assert_eq!(listed, places);
    let other = cloud.neighbour().get(&format!("{path}/tasks")).await.json();
    assert_eq!(other, json!({"tasks": []}));
}

#[tokio::test]
async fn a_promise_is_kept_or_the_image_waits_again() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    let promise = |value: &str| {
        json!({
            "url": origin.url("/bytes/300"),
            "validation_data": {"os_hash_algo": "sha256", "os_hash_value": value},
        })
    };
    let path = queued(&cloud).await;
    add(&cloud, &path, &promise(&"a".repeat(64))).await;
    let (image, task) = ended(&cloud, &path).await;
    assert_eq!(task["status"], "failure");
    assert_eq!(task["message"], "Task failed due to Internal Error");
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("queued"), &Value::Null)
    );
    assert_eq!(
        (&image["os_hash_algo"], &image["checksum"]),
        (&Value::Null, &Value::Null)
    );
    // Nothing can be deleted from a web server, so that the place stays noted until there is data.
    let places = json!([{"url": origin.url("/bytes/300"), "metadata": {}}]);
    assert_eq!(image["locations"], places);
    add(&cloud, &path, &promise(&"b".repeat(64))).await;
    let (again, _) = ended(&cloud, &path).await;
    assert_eq!(
        (&again["status"], &again["locations"]),
        (&json!("queued"), &places)
    );
    let id = path.trim_start_matches("/v2/images/");
    cloud.member().upload(id, b"others").await;
    let image = cloud.member().get(&path).await.json();
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(6))
    );
    let places = image["locations"].as_array().unwrap();
    assert!(places.len() == 1 && !places[0].to_string().contains("http"));

    let kept = digest(HashAlgorithm::Sha256, 300);
    let path = queued(&cloud).await;
    add(&cloud, &path, &promise(&kept)).await;
    let (image, task) = ended(&cloud, &path).await;
    assert_eq!(
        (&image["status"], &task["status"]),
        (&json!("active"), &json!("success"))
    );
    assert_eq!(
        (&image["os_hash_algo"], &image["os_hash_value"]),
        (&json!("sha256"), &json!(kept))
    );
}

#[tokio::test]
async fn without_a_secure_hash_a_promise_is_believed() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "do_secure_hash = false").await;
    let path = queued(&cloud).await;
    let said = json!({"os_hash_algo": "md5", "os_hash_value": "c".repeat(32)});
    add(
        &cloud,
        &path,
        &json!({"url": origin.url("/bytes/300"), "validation_data": said}),
    )
    .await;
    let (image, _) = ended(&cloud, &path).await;
    assert_eq!(image["status"], "active");
    assert_eq!(
        (&image["os_hash_algo"], &image["checksum"]),
        (&json!("md5"), &Value::Null)
    );
    assert_eq!(origin.asked(), ["HEAD /bytes/300"]);
}

#[tokio::test]
async fn hashing_is_tried_again_and_an_active_image_does_without() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    for (kind, hashed) in [("flaky", true), ("short", false)] {
        let path = queued(&cloud).await;
        add(
            &cloud,
            &path,
            &json!({"url": origin.url(&format!("/{kind}/1000"))}),
        )
        .await;
        let (image, task) = ended(&cloud, &path).await;
        assert_eq!(
            (&image["status"], &task["status"]),
            (&json!("active"), &json!("success"))
        );
        assert_eq!(image["os_hash_value"].is_string(), hashed, "{kind}");
        let read = format!("GET /{kind}/1000");
        assert_eq!(origin.asked().iter().filter(|one| **one == read).count(), 2);
    }
}

#[tokio::test]
async fn a_location_without_data_leaves_the_image_as_it_was() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    for target in ["/status/404", "/bytes/0", "/status/500"] {
        let path = queued(&cloud).await;
        add(&cloud, &path, &json!({"url": origin.url(target)})).await;
        let (image, task) = ended(&cloud, &path).await;
        assert_eq!(
            (&image["status"], &task["status"]),
            (&json!("queued"), &json!("failure"))
        );
        assert_eq!(image["locations"], json!([]));
    }
}

#[tokio::test]
async fn users_name_web_servers_that_the_operator_allows() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    let path = queued(&cloud).await;
    let member = cloud.member();
    let calls = format!("{path}/locations");
    for (url, status, sentence) in [
        (
            "file:///etc/passwd",
            403,
            "http store must be enabled to use location API by normal user.",
        ),
        (
            "http://127.0.0.2/x",
            400,
            "URI for add location does not pass filtering: http://127.0.0.2/x",
        ),
        (
            "http:",
            400,
            "URI for add location does not pass filtering: http:",
        ),
    ] {
        let refused = member.post(&calls, &json!({"url": url})).await;
        assert_eq!(
            (refused.status.as_u16(), refused.sentence().as_str()),
            (status, sentence)
        );
    }
    let cloud = Cloud::new().await;
    let path = queued(&cloud).await;
    let url = origin.url("/bytes/5");
    let refused = cloud
        .member()
        .post(&format!("{path}/locations"), &json!({"url": url}))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(origin.asked().is_empty());
}

#[tokio::test]
async fn an_image_that_goes_while_it_is_hashed_leaves_a_failed_task_and_no_image() {
    let origin = Origin::new().await;
    let cloud = with(&origin, "").await;
    let path = queued(&cloud).await;
    add(&cloud, &path, &json!({"url": origin.url("/slow/10000000")})).await;
    let until = async |asked: &str| {
        let coming = async {
            while !origin.asked().iter().any(|one| one == asked) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(30), coming).await;
        came.unwrap_or_else(|_| panic!("{asked} never came"));
    };
    until("GET /slow/10000000").await;
    // Which digest it will be is told already.
    let image = cloud.member().get(&path).await.json();
    assert_eq!(
        (&image["os_hash_algo"], &image["os_hash_value"]),
        (&json!("sha512"), &Value::Null)
    );
    let gone = cloud.member().delete(&path).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    until("left /slow/10000000").await;
    let failing = async {
        loop {
            let tasks = cloud.admin().get("/v2/tasks").await.json();
            if tasks["tasks"][0]["status"] == "failure" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let failed = tokio::time::timeout(Duration::from_secs(30), failing).await;
    failed.expect("it never failed");
    assert_eq!(cloud.admin().get(&path).await.status, StatusCode::NOT_FOUND);
}
