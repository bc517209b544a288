//! `/v2/images`

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

#[tokio::test]
async fn an_image_is_shown_as_the_original_shows_it() {
    let cloud = Cloud::new().await;
    let document = json!({
        "name": "n", "os_distro": "debian", "tags": ["a", "a"], "min_disk": 3, "protected": true,
        "id": "00000000-0000-4000-8000-000000000001",
    });
    let mut image = cloud.member().post("/v2/images", &document).await.json();
    for time in ["created_at", "updated_at"] {
        let text = image[time].take().as_str().map(str::len);
        assert_eq!(text, Some("2026-01-31T12:00:00Z".len()));
    }
    let expected = json!({
        "os_distro": "debian", "name": "n", "disk_format": null, "container_format": null,
        "visibility": "shared", "size": null, "virtual_size": null, "status": "queued",
        "checksum": null, "protected": true, "min_ram": 0, "min_disk": 3,
        "owner": "aaaa0000aaaa0000aaaa0000aaaa0000", "os_hidden": false, "os_hash_algo": null,
        "os_hash_value": null, "id": "00000000-0000-4000-8000-000000000001", "created_at": null,
        "updated_at": null, "tags": ["a"],
        "self": "/v2/images/00000000-0000-4000-8000-000000000001",
        "file": "/v2/images/00000000-0000-4000-8000-000000000001/file",
        "schema": "/v2/schemas/image",
    });
    assert_eq!(image, expected);
}

#[tokio::test]
async fn an_id_stays_taken_after_its_image_is_deleted() {
    let cloud = Cloud::new().await;
    let document = json!({"id": "00000000-0000-4000-8000-000000000001"});
    let id = cloud.member().create(&document).await;
    let path = format!("/v2/images/{id}");
    let deleted = cloud.member().delete(&path).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let again = cloud.member().post("/v2/images", &document).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.sentence(), format!("Image ID {id} already exists!"));
    let gone = cloud.member().delete(&path).await;
    assert_eq!(
        gone.sentence(),
        format!("Failed to find image {id} to delete")
    );
}

#[tokio::test]
async fn a_protected_image_is_not_deleted() {
    let cloud = Cloud::new().await;
    let id = cloud.member().create(&json!({"protected": true})).await;
    let refused = cloud.admin().delete(&format!("/v2/images/{id}")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.sentence(),
        format!("Image {id} is protected and cannot be deleted.")
    );
}

#[tokio::test]
async fn a_list_is_walked_by_its_links() {
    let cloud = Cloud::new().await;
    for n in 0..5 {
        cloud
            .member()
            .create(&json!({"name": format!("page {n}")}))
            .await;
    }
    let mut names = Vec::new();
    let mut next = Some("/v2/images?limit=2&sort=name:asc".to_owned());
    while let Some(path) = next {
        let page = cloud.member().get(&path).await.json();
        assert_eq!(page["first"], "/v2/images?limit=2&sort=name%3Aasc");
        let images = page["images"].as_array().expect("images").clone();
        names.extend(images.into_iter().map(|image| image["name"].clone()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(names, ["page 0", "page 1", "page 2", "page 3", "page 4"]);
}

#[tokio::test]
async fn a_private_image_of_others_is_not_there() {
    let cloud = Cloud::new().await;
    let id = cloud
        .member()
        .create(&json!({"visibility": "private"}))
        .await;
    let path = format!("/v2/images/{id}");
    let hidden = cloud.neighbour().get(&path).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!(hidden.sentence(), format!("No image found with ID {id}"));
    assert_eq!(cloud.reader().get(&path).await.status, StatusCode::OK);
    assert_eq!(cloud.admin().get(&path).await.status, StatusCode::OK);
}
