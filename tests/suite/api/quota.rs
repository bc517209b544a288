//! `user_storage_quota`

use futures_util::future::join_all;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::json;

use super::lessons::{until, waiting};
use super::web;
use crate::support::{Cloud, Origin};

const OPTIONS: &str = "user_storage_quota = 15B";

#[tokio::test]
async fn a_project_keeps_no_more_than_its_quota() {
    let cloud = Cloud::with(OPTIONS).await;
    let member = cloud.member();
    let first = member.create_with(b"ten bytes!").await;
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let second = member.create(&formats).await;

    let refused = member.upload(&second, b"six...").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        refused.sentence(),
        "Image exceeds the storage quota: The size of the data 6 will exceed the limit. 5 bytes remaining."
    );
    let image = member.get(&format!("/v2/images/{second}")).await.json();
    assert_eq!(image["status"], "queued");
    assert!(!cloud.store_dir().join(&second).exists());
    cloud.neighbour().create_with(b"fifteen bytes..").await;

    member.delete(&format!("/v2/images/{first}")).await;
    let taken = member.upload(&second, b"six...").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn data_of_unknown_size_is_held_to_the_quota_as_it_comes() {
    let cloud = Cloud::with(OPTIONS).await;
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    let path = format!("/v2/images/{id}/file");
    let refused = cloud.member().stream(&path, b"sixteen bytes...").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.sentence().contains("the data 16 will exceed"));
    assert!(!cloud.store_dir().join(&id).exists());
    let taken = cloud.member().stream(&path, b"fifteen bytes..").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_tag_that_is_named_twice_counts_twice() {
    let cloud = Cloud::with("image_tag_quota = 3").await;
    let answer = cloud
        .member()
        .post("/v2/images", &json!({"tags": ["a", "a", "a", "a"]}))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.sentence().contains("Attempted: 4, Maximum: 3"));
    let id = cloud
        .member()
        .create(&json!({"tags": ["a", "a", "b"]}))
        .await;
    let path = format!("/v2/images/{id}");
    let change = json!([{"op": "replace", "path": "/tags", "value": ["a", "b", "c", "c"]}]);
    let answer = cloud.member().patch(&path, &change).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let tags = &cloud.member().get(&path).await.json()["tags"];
    assert_eq!(tags, &json!(["a", "b"]));
}

/// What is held for data on its way.
fn held(cloud: &Cloud) -> Vec<String> {
    let rows = "SELECT value FROM image_properties WHERE name = 'os_glance_held_room'";
    cloud.database().ask(rows, "value")
}

#[tokio::test(flavor = "multi_thread")]
async fn room_for_data_of_unknown_size_grows_with_it_and_is_given_back() {
    static DATA: [u8; 3 << 20] = [7; 3 << 20];
    let cloud = Cloud::with("user_storage_quota = 4MiB").await;
    let member = cloud.member();
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let [first, second] = [member.create(&formats).await, member.create(&formats).await];
    let path = |id: &str| format!("/v2/images/{id}/file");
    let taken = member.stream(&path(&first), &DATA).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    assert_eq!(held(&cloud), Vec::<String>::new());

    let refused = member.stream(&path(&second), &DATA).await;
    assert_eq!(
        refused.sentence(),
        "Image exceeds the storage quota: The size of the data 3145728 will exceed the limit. 1048576 bytes \
         remaining."
    );
    assert_eq!(held(&cloud), Vec::<String>::new());
    let shown = member.get(&format!("/v2/images/{second}")).await.json();
    assert_eq!(shown["status"], "queued");
    let taken = member.stream(&path(&second), &DATA[..1 << 20]).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
}

/// Eight images at once, with room for three of them.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_locations_at_once_those_are_taken_that_there_is_room_for() {
    let origin = Origin::new().await;
    let options = "show_multiple_locations = true\nuser_storage_quota = 35B";
    for by_patch in [true, false] {
        let cloud = Cloud::with_stores(options, &web(&origin)).await;
        let member = cloud.member();
        let formats = json!({"disk_format": "raw", "container_format": "bare"});
        let ids = join_all((0..8).map(|_| member.create(&formats))).await;
        let url = origin.url("/bytes/10");
        let change =
            json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]);
        let add = async |id: &String| {
            let path = format!("/v2/images/{id}");
            if by_patch {
                return member.patch(&path, &change).await.status;
            }
            let call = json!({"url": url});
            let taken = member.post(&format!("{path}/locations"), &call).await;
            assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text());
            // What became of it is seen afterwards.
            until("the task ends", async || {
                let tasks = member.get(&format!("{path}/tasks")).await.json();
                ["success", "failure"]
                    .map(Some)
                    .contains(&tasks["tasks"][0]["status"].as_str())
            })
            .await;
            match member.get(&path).await.json()["status"].as_str() {
                Some("active") => StatusCode::OK,
                _ => StatusCode::PAYLOAD_TOO_LARGE,
            }
        };
        let statuses = join_all(ids.iter().map(add)).await;
        let with = |status| statuses.iter().filter(|one| **one == status).count();
        let counts = (with(StatusCode::OK), with(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(counts, (3, 5), "{statuses:?}");
    }
}

/// As after an hour without a database, or of sleep: the row of the room is old, and others have it.
#[tokio::test(flavor = "multi_thread")]
async fn room_that_was_lost_meanwhile_is_asked_for_again_before_the_image_is_active() {
    let cloud = Cloud::with(OPTIONS).await;
    let member = cloud.member();
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let octets = (CONTENT_TYPE, "application/octet-stream");
    let headers = [octets, (CONTENT_LENGTH, "10")];
    for others in [false, true] {
        let id = member.create(&formats).await;
        let file = format!("/v2/images/{id}/file");
        let (sender, body) = waiting();
        let upload = member.request(Method::PUT, &file, &headers, body);
        let meddling = async {
            sender.send(Ok("half:".into())).await.unwrap();
            until("room is held", async || held(&cloud).len() == 1).await;
            let long_ago = "UPDATE image_properties SET updated_at = '2020-01-01 00:00:00' \
                            WHERE name = 'os_glance_held_room'";
            cloud.database().run(long_ago);
            if others {
                member.create_with(b"ten bytes!").await;
            }
            sender.send(Ok("half.".into())).await.unwrap();
            drop(sender);
        };
        let (answer, ()) = tokio::join!(upload, meddling);
        let expected = if others {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::NO_CONTENT
        };
        assert_eq!(answer.status, expected, "{}", answer.text());
        assert_eq!(held(&cloud), Vec::<String>::new());
        member.delete(&format!("/v2/images/{id}")).await;
    }
}
