//! Several stores: choosing among them, and taking an image from one.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Cloud, Origin};

const OPTIONS: &str = "show_multiple_locations = true\nshow_image_direct_url = true\nenabled_backends = fast:file, cheap:file, web:http";

/// A configuration where the web store has this weight and the others 100 and 50.
fn stores(origin: &Origin, weight: i32) -> String {
    let port = origin.port();
    format!(
        "[glance_store]\ndefault_backend = fast\n\
         [fast]\nfilesystem_store_datadir = {{dir}}/images\nweight = 100\n\
         [cheap]\nfilesystem_store_datadir = {{dir}}/cheap\nweight = 50\n\
         [web]\nweight = {weight}\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {{dir}}/staging\n\
         [os_glance_tasks_store]\nfilesystem_store_datadir = {{dir}}/tasks\n\
         [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = [{port}]\n"
    )
}

async fn cloud(origin: &Origin) -> Cloud {
    Cloud::with_stores(OPTIONS, &stores(origin, 10)).await
}

/// An image with its data in the default store and on the web.
async fn image_in_two(cloud: &Cloud, origin: &Origin) -> String {
    let id = cloud.member().create_with(b"\0\x01\x02\x03\x04").await;
    let added = json!([{
        "op": "add", "path": "/locations/-",
        "value": {"url": origin.url("/bytes/5"), "metadata": {}},
    }]);
    let path = format!("/v2/images/{id}");
    let image = cloud.member().patch(&path, &added).await;
    assert_eq!(image.json()["stores"], "fast,web", "{}", image.text());
    id
}

#[tokio::test]
async fn data_goes_to_the_store_that_its_client_names() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    let id = cloud.member().create(&formats).await;
    for (store, status, sentence) in [
        ("nonsense", 400, "Store for identifier nonsense not found"),
        (
            "web",
            410,
            "Error in store configuration. Adding images to store is disabled.",
        ),
    ] {
        let refused = cloud.member().upload_to(store, &id, b"data").await;
        assert_eq!(
            (refused.status.as_u16(), refused.sentence().as_str()),
            (status, sentence)
        );
    }
    let taken = cloud.member().upload_to("cheap", &id, b"data").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    assert!(cloud.path("cheap").join(&id).exists());
    let image = cloud.member().get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["stores"], "cheap");

    // The stores that the service keeps for itself take data as well.
    let id = cloud.member().create(&formats).await;
    let path = format!("/v2/images/{id}");
    let taken = cloud
        .member()
        .upload_to("os_glance_staging_store", &id, b"data")
        .await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    assert_eq!(
        cloud.member().get(&format!("{path}/file")).await.body,
        "data"
    );
    cloud.member().delete(&path).await;
    assert!(!cloud.staging_dir().join(&id).exists());
}

#[tokio::test]
async fn the_heaviest_store_is_shown_and_read_first() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let id = image_in_two(&cloud, &origin).await;
    let path = format!("/v2/images/{id}");
    let image = cloud.member().get(&path).await.json();
    let file = format!("file://{}", cloud.store_dir().join(&id).display());
    assert_eq!(
        (&image["stores"], &image["direct_url"]),
        (&json!("fast,web"), &json!(file))
    );

    let cloud = cloud.reopened(OPTIONS, &stores(&origin, 200)).await;
    let image = cloud.member().get(&path).await.json();
    let url = origin.url("/bytes/5");
    assert_eq!(
        (&image["stores"], &image["direct_url"]),
        (&json!("web,fast"), &json!(url))
    );
    let list = cloud.member().get("/v2/images").await.json();
    assert_eq!(list["images"][0]["stores"], "web,fast");
    let data = cloud.member().get(&format!("{path}/file")).await;
    assert_eq!(data.body, Origin::bytes(5));
    assert!(origin.asked().contains(&"GET /bytes/5".to_owned()));
}

#[tokio::test]
async fn a_download_prefers_the_store_that_its_client_names() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let id = image_in_two(&cloud, &origin).await;
    let file = format!("/v2/images/{id}/file");
    let refused = cloud.member().get(&format!("{file}?prefer=fast,no")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.sentence(), "Store 'no' is not configured.");
    let data = cloud.member().get(&format!("{file}?prefer=web")).await;
    assert_eq!(data.body, Origin::bytes(5));
    assert!(origin.asked().contains(&"GET /bytes/5".to_owned()));

    let cloud = Cloud::new().await;
    let id = cloud.member().create_with(b"data").await;
    let refused = cloud
        .member()
        .get(&format!("/v2/images/{id}/file?prefer=file"))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.sentence().as_str()),
        (
            400,
            "Store selection for download is not available when multiple backends are not enabled."
        )
    );
}

#[tokio::test]
async fn an_image_leaves_a_store_as_long_as_another_has_it() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let id = image_in_two(&cloud, &origin).await;
    let refused = async |path: &str, status: u16, sentence: &str| {
        let refused = cloud.admin().delete(path).await;
        assert_eq!(
            (refused.status.as_u16(), refused.sentence().as_str()),
            (status, sentence)
        );
    };
    refused(
        &format!("/v2/stores/nonsense/{id}"),
        409,
        "The selected store nonsense is not available on this node.",
    )
    .await;
    refused(
        "/v2/stores/fast/nonsense",
        404,
        "Failed to find image nonsense",
    )
    .await;
    refused(
        &format!("/v2/stores/cheap/{id}"),
        404,
        &format!("Image {id} is not stored in store cheap."),
    )
    .await;
    let path = format!("/v2/stores/fast/{id}");
    let other = cloud.member().delete(&path).await;
    assert_eq!(
        (other.status.as_u16(), other.sentence().as_str()),
        (
            403,
            "You are not authorized to complete delete_image_location action."
        )
    );
    assert!(cloud.store_dir().join(&id).exists());

    let done = cloud.admin().delete(&path).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text());
    assert!(!cloud.store_dir().join(&id).exists());
    let image = cloud.member().get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["stores"], "web");
    refused(
        &format!("/v2/stores/web/{id}"),
        403,
        "Cannot delete image data from the only store containing it. Consider deleting the image instead.",
    )
    .await;
    let queued = cloud.admin().create(&json!({})).await;
    refused(
        &format!("/v2/stores/fast/{queued}"),
        409,
        "It's not allowed to remove image data from store if image status is not 'active'",
    )
    .await;
    assert_eq!(
        Cloud::new().await.admin().delete(&path).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn of_two_who_take_the_two_copies_away_one_is_refused() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    for _ in 0..5 {
        let id = image_in_two(&cloud, &origin).await;
        let delete = async |store: &str| {
            cloud
                .admin()
                .delete(&format!("/v2/stores/{store}/{id}"))
                .await
                .status
        };
        let both = tokio::join!(delete("fast"), delete("web"));
        let one_each = [both.0, both.1];
        assert!(one_each.contains(&StatusCode::NO_CONTENT), "{both:?}");
        assert!(one_each.contains(&StatusCode::FORBIDDEN), "{both:?}");
        let data = cloud.member().get(&format!("/v2/images/{id}/file")).await;
        assert_eq!(data.body, Origin::bytes(5));
    }
}

#[tokio::test]
async fn an_image_from_the_time_of_one_store_learns_its_name_when_it_is_read() {
    let origin = Origin::new().await;
    let cloud = Cloud::with("show_multiple_locations = true").await;
    let id = cloud.member().create_with(b"older than names").await;
    let path = format!("/v2/images/{id}");
    let places = |cloud: &Value| cloud["locations"][0]["metadata"].clone();
    assert_eq!(places(&cloud.member().get(&path).await.json()), json!({}));

    let cloud = cloud.reopened(OPTIONS, &stores(&origin, 10)).await;
    let list = async || cloud.member().get("/v2/images").await.json()["images"][0].clone();
    assert_eq!(places(&list().await), json!({}));
    let others = cloud.admin().get(&path).await.json();
    assert_eq!(others["stores"], "fast");
    assert_eq!(places(&others), json!({"store": "fast"}));
    // By now it is written down.
    assert_eq!(places(&list().await), json!({"store": "fast"}));
    let data = cloud
        .member()
        .get(&format!("{path}/file?prefer=fast"))
        .await;
    assert_eq!(data.body, "older than names");
}

#[tokio::test]
async fn stores_are_told_to_everybody_and_their_insides_to_administrators() {
    let origin = Origin::new().await;
    let cloud = cloud(&origin).await;
    let stores = cloud.reader().get("/v2/info/stores").await.json();
    assert_eq!(
        stores,
        json!({"stores": [
            {"id": "fast", "default": "true"},
            {"id": "cheap"},
            {"id": "web", "read-only": "true"},
        ]})
    );
    let refused = cloud.member().get("/v2/info/stores/detail").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let detail = cloud.admin().get("/v2/info/stores/detail").await.json();
    let weights: Vec<_> = (0..3)
        .map(|i| detail["stores"][i]["weight"].clone())
        .collect();
    assert_eq!(weights, [100, 50, 10]);
}
