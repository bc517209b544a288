//! Who may do what, under rules that are not the usual ones.

use http::StatusCode;
use serde_json::json;

use crate::support::Cloud;

/// A service that goes by these rules over the built-in ones.
async fn under(options: &str, policy: &str) -> Cloud {
    let options = format!("{options}\n[oslo_policy]\npolicy_file = policy.yaml\n");
    Cloud::with_files(&options, &[("policy.yaml", policy)]).await
}

#[tokio::test]
async fn the_older_rules_let_in_everybody_and_ask_for_owners() {
    let options = "[oslo_policy]\nenforce_new_defaults = false\n";
    let cloud = Cloud::with(options).await;
    let id = cloud
        .reader()
        .create(&json!({"visibility": "community"}))
        .await;
    let path = format!("/v2/images/{id}");
    let rename = json!([{"op": "replace", "path": "/name", "value": "n"}]);
    assert_eq!(
        cloud.reader().patch(&path, &rename).await.status,
        StatusCode::OK
    );

    let refused = cloud.neighbour().patch(&path, &rename).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.sentence(), "You do not own this image");
    let refused = cloud.neighbour().put(&format!("{path}/tags/t"), "").await;
    assert_eq!(
        refused.sentence(),
        format!("Not allowed to update tags for image {id}.")
    );
    let refused = cloud.neighbour().delete(&path).await;
    assert_eq!(refused.sentence(), "You do not own this image");
    let others = json!({"owner": "bbbb0000bbbb0000bbbb0000bbbb0000"});
    assert_eq!(
        cloud.member().post("/v2/images", &others).await.sentence(),
        "You are not permitted to create images owned by 'bbbb0000bbbb0000bbbb0000bbbb0000'."
    );
    let publish = json!({"visibility": "public"});
    let refused = cloud.member().post("/v2/images", &publish).await;
    assert_eq!(
        refused.sentence(),
        "You are not authorized to complete publicize_image action."
    );
}

#[tokio::test]
async fn with_the_older_rules_owners_share_and_members_answer() {
    let cloud = Cloud::with("[oslo_policy]\nenforce_new_defaults = false\n").await;
    let id = cloud
        .reader()
        .create(&json!({"visibility": "shared"}))
        .await;
    let members = format!("/v2/images/{id}/members");
    let neighbour = "bbbb0000bbbb0000bbbb0000bbbb0000";
    let shared = cloud
        .reader()
        .post(&members, &json!({"member": neighbour}))
        .await;
    assert_eq!(shared.status, StatusCode::OK);
    let again = cloud
        .neighbour()
        .post(&members, &json!({"member": "other"}))
        .await;
    assert_eq!(
        again.sentence(),
        format!("Not allowed to create members for image {id}.")
    );
    let path = format!("{members}/{neighbour}");
    let accepted = r#"{"status": "accepted"}"#;
    assert_eq!(
        cloud.reader().put(&path, accepted).await.sentence(),
        format!("Not allowed to update members for image {id}.")
    );
    assert_eq!(
        cloud.neighbour().put(&path, accepted).await.status,
        StatusCode::OK
    );
    assert_eq!(
        cloud.neighbour().delete(&path).await.sentence(),
        format!("Not allowed to delete members for image {id}.")
    );
}

/// Every rule that one of these calls asks, refused: whoever sees the image is told so, whoever does not hears
/// that there is none.
#[tokio::test]
async fn a_refused_action_is_masked_from_those_who_may_not_see_the_image() {
    let image = "00000000-0000-4000-8000-000000000001";
    let path = format!("/v2/images/{image}");
    let calls: [(&str, &str, String, &'static str); 9] = [
        ("delete_image", "DELETE", path.clone(), ""),
        ("modify_image", "PUT", format!("{path}/tags/t"), ""),
        ("download_image", "GET", format!("{path}/file"), ""),
        ("upload_image", "PUT", format!("{path}/file"), "data"),
        (
            "deactivate",
            "POST",
            format!("{path}/actions/deactivate"),
            "",
        ),
        (
            "reactivate",
            "POST",
            format!("{path}/actions/reactivate"),
            "",
        ),
        ("get_members", "GET", format!("{path}/members"), ""),
        (
            "add_member",
            "POST",
            format!("{path}/members"),
            r#"{"member": "m"}"#,
        ),
        ("get_image", "GET", path.clone(), ""),
    ];
    for (rule, method, path, body) in calls {
        for seen in [true, false] {
            let hidden = if seen { "" } else { "get_image: '!'" };
            let rules = format!(
                "{rule}: '!'\n{}",
                if rule == "get_image" { "" } else { hidden }
            );
            let cloud = under("", &rules).await;
            cloud.member().create(&json!({"id": image})).await;
            let answer = cloud.member().speak(method, &path, body).await;
            if seen && rule != "get_image" {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{rule}");
                let sentence = format!("You are not authorized to complete {rule} action.");
                assert_eq!(answer.sentence(), sentence);
            } else {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{rule}");
                assert_eq!(
                    answer.sentence(),
                    "The resource could not be found.",
                    "{rule}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_list_leaves_out_what_the_policy_hides() {
    let cloud = under("", "get_image: \"not 'hidden':%(name)s\"").await;
    for name in ["a", "hidden", "b"] {
        cloud.member().create(&json!({"name": name})).await;
    }
    let list = cloud.member().get("/v2/images?sort=name:asc").await.json();
    let names: Vec<_> = (list["images"].as_array().expect("a list").iter())
        .map(|image| image["name"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_missed_before_owners_are_asked_for() {
    let cloud = under("", "modify_image: '@'").await;
    let id = cloud
        .member()
        .create(&json!({"visibility": "community", "tags": ["a"]}))
        .await;
    let tags = format!("/v2/images/{id}/tags");
    let missed = cloud.neighbour().delete(&format!("{tags}/b")).await;
    assert_eq!(missed.status, StatusCode::NOT_FOUND);
    let refused = cloud.neighbour().delete(&format!("{tags}/a")).await;
    assert_eq!(
        refused.sentence(),
        format!("Not allowed to delete tags for image {id}.")
    );
}
