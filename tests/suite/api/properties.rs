//! Custom properties that a site protects or describes.

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

const PROTECTIONS: &str = "\
[^secret_.*]
create = admin,member
read = admin
update = admin
delete = admin
[^fixed$]
create = member
read = @
update = !
delete = !
[.*]
create = @
read = @
update = @
delete = @
";

async fn protected() -> Cloud {
    let options = "property_protection_file = protections.conf";
    Cloud::with_files(options, &[("protections.conf", PROTECTIONS)]).await
}

#[tokio::test]
async fn a_property_is_hidden_from_those_who_may_not_read_it() {
    let cloud = protected().await;
    let id = cloud.member().create(&json!({"name": "n"})).await;
    let path = format!("/v2/images/{id}");
    let add = json!([{"op": "add", "path": "/secret_a", "value": "1"}]);
    assert_eq!(
        cloud.admin().patch(&path, &add).await.json()["secret_a"],
        "1"
    );
    assert_eq!(cloud.admin().get(&path).await.json()["secret_a"], "1");
    assert_eq!(cloud.member().get(&path).await.json().get("secret_a"), None);
    let list = cloud.member().get("/v2/images").await.json();
    assert_eq!(list["images"][0]["name"], "n");
    assert_eq!(list["images"][0].get("secret_a"), None);

    let replace = json!([{"op": "replace", "path": "/secret_a", "value": "2"}]);
    let refused = cloud.member().patch(&path, &replace).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let tagged = format!("{path}/tags/blue");
    cloud.member().call(http::Method::PUT, &tagged).await;
    assert_eq!(cloud.admin().get(&path).await.json()["secret_a"], "1");
}

#[tokio::test]
async fn a_property_is_not_written_by_those_who_may_not() {
    let cloud = protected().await;
    let refused = cloud
        .member()
        .post("/v2/images", &json!({"free": "x", "os_glance_x": "y"}))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let id = cloud.member().create(&json!({"fixed": "x"})).await;
    let path = format!("/v2/images/{id}");
    for change in [
        json!({"op": "replace", "path": "/fixed", "value": "y"}),
        json!({"op": "add", "path": "/fixed", "value": "y"}),
        json!({"op": "remove", "path": "/fixed"}),
    ] {
        let refused = cloud.member().patch(&path, &json!([change])).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{change}");
        assert_eq!(refused.sentence(), "Attribute 'fixed' is reserved.");
    }
    assert_eq!(cloud.member().get(&path).await.json()["fixed"], "x");
}

#[tokio::test]
async fn a_site_describes_and_demands_properties() {
    let schema = json!({
        "properties": {
            "flavour": {"type": "string", "enum": ["debian", "fedora"]},
            "seconds": {"type": ["null", "string"], "pattern": "^[0-9]+$"},
        },
        "required": ["flavour"],
    });
    let cloud = Cloud::with_files("", &[("schema-image.json", &schema.to_string())]).await;
    let member = cloud.member();
    let shown = member.get("/v2/schemas/image").await.json();
    assert_eq!(shown["required"], json!(["flavour"]));
    assert_eq!(shown["properties"]["flavour"]["is_base"], false);

    for (document, what) in [
        (json!({}), "'flavour' is a required property"),
        (json!({"flavour": "suse"}), "'suse' is not one of"),
        (
            json!({"flavour": "debian", "seconds": "x"}),
            "does not match",
        ),
    ] {
        let refused = member.post("/v2/images", &document).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.sentence().contains(what), "{}", refused.sentence());
    }
    let id = member
        .create(&json!({"flavour": "debian", "seconds": null}))
        .await;
    let image = member.get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["flavour"], "debian");
    assert_eq!(image["seconds"], json!(null));
}
