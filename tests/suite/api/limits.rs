//! What a project may have, where Keystone says so (`use_keystone_limits`).

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::support::{Answer, Client, Cloud, ENDPOINT, FakeKeystone, Limited, Mood};

/// The project of the members.
const PROJECT: &str = "aaaa0000aaaa0000aaaa0000aaaa0000";
const NEIGHBOUR: &str = "bbbb0000bbbb0000bbbb0000bbbb0000";
const MIB: usize = 1 << 20;
static DATA: [u8; 3 * MIB] = [7; 3 * MIB];

const STORE: &str = "[glance_store]\nstores = file\ndefault_store = file\nfilesystem_store_datadir = {dir}/images\n";

/// A cloud whose limits `keystone` keeps, with options of `[oslo_limit]`.
async fn cloud(keystone: &FakeKeystone, options: &str) -> Cloud {
    let url = keystone.url();
    let sections = format!(
        "{STORE}[oslo_limit]\nauth_type = password\nauth_url = {url}\nusername = glance\npassword = secret\n\
         system_scope = all\n{options}\n[server]\nlimits_cache_time = 0\n"
    );
    let options = "use_keystone_limits = true\nenabled_import_methods = [glance-direct]\n\
                   user_storage_quota = 1B";
    Cloud::with_stores(options, &sections).await
}

async fn limited(change: impl FnOnce(&mut Limited)) -> (FakeKeystone, Cloud) {
    let keystone = FakeKeystone::new().await;
    let mut limited = Limited::amply();
    change(&mut limited);
    keystone.limit(limited);
    let cloud = cloud(&keystone, &format!("endpoint_id = {ENDPOINT}")).await;
    (keystone, cloud)
}

async fn planned(client: &Client<'_>) -> String {
    let formats = json!({"disk_format": "raw", "container_format": "bare"});
    client.create(&formats).await
}

async fn upload(client: &Client<'_>, data: &'static [u8]) -> Answer {
    let id = planned(client).await;
    client.upload(&id, data).await
}

fn over(resource: &str, limit: i64, usage: i64, delta: i64) -> String {
    format!(
        "The request returned a 413 Request Entity Too Large. This generally means that rate limiting or a \
         quota threshold was breached. The response body: Project {PROJECT} is over a limit for [Resource \
         {resource} is over limit of {limit} due to current usage {usage} and delta {delta}]"
    )
}

#[track_caller]
fn assert_over(answer: &Answer, sentence: &str) {
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.sentence(), sentence);
}

#[tokio::test]
async fn a_project_has_no_more_images_than_its_limit() {
    let (keystone, cloud) = limited(|limits| {
        limits.registered.insert("image_count_total", 5);
        limits.own.insert((PROJECT, "image_count_total"), 2);
    })
    .await;
    let member = cloud.member();
    let first = planned(&member).await;
    planned(&member).await;
    let refused = member.post("/v2/images", &json!({})).await;
    assert_over(&refused, &over("image_count_total", 2, 2, 1));
    // Another project has the registered limit.
    for _ in 0..5 {
        planned(&cloud.neighbour()).await;
    }
    let refused = cloud.neighbour().post("/v2/images", &json!({})).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);

    member.delete(&format!("/v2/images/{first}")).await;
    planned(&member).await;
    // Less than nothing is no limit at all.
    let mut limits = Limited::amply();
    limits.own.insert((PROJECT, "image_count_total"), -1);
    keystone.limit(limits);
    planned(&member).await;
}

#[tokio::test]
async fn declared_data_is_refused_before_it_comes_and_other_data_as_soon_as_there_is_too_much() {
    let (keystone, cloud) = limited(|limits| {
        limits.registered.insert("image_size_total", 5);
    })
    .await;
    let member = cloud.member();
    let first = upload(&member, &DATA).await;
    assert_eq!(first.status, StatusCode::NO_CONTENT);
    let refused = upload(&member, &DATA).await;
    assert_over(&refused, &over("image_size_total", 5, 3, 3));
    // Whoever does not say how much it is gets as far as there is room.
    let id = planned(&member).await;
    let path = format!("/v2/images/{id}/file");
    let refused = member.stream(&path, &DATA).await;
    assert_over(&refused, &over("image_size_total", 5, 3, 3));
    let image = member.get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["status"], "queued");
    let taken = member.stream(&path, &DATA[..2 << 20]).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    // And not a byte where there is too much before.
    let mut limits = Limited::amply();
    limits.registered.insert("image_size_total", 4);
    keystone.limit(limits);
    upload(&member, &DATA).await;
    let refused = upload(&member, b"x").await;
    assert_over(&refused, &over("image_size_total", 4, 5, 0));
    // Nothing can be imported, either.
    let import = json!({"method": {"name": "glance-direct"}});
    let path = format!("/v2/images/{id}/import");
    assert_over(
        &member.post(&path, &import).await,
        &over("image_size_total", 4, 5, 0),
    );
}

#[tokio::test]
async fn staged_data_and_uploads_that_run_have_limits_of_their_own() {
    let (_keystone, cloud) = limited(|limits| {
        limits.registered.insert("image_stage_total", 4);
        limits.registered.insert("image_count_uploading", 2);
    })
    .await;
    let member = cloud.member();
    let stage = async |data: &'static [u8]| {
        let id = planned(&member).await;
        member.stream(&format!("/v2/images/{id}/stage"), data).await
    };
    assert_eq!(stage(&DATA).await.status, StatusCode::NO_CONTENT);
    assert_over(&stage(&DATA).await, &over("image_stage_total", 4, 3, 3));
    let rest = &DATA[..1 << 20];
    assert_eq!(stage(rest).await.status, StatusCode::NO_CONTENT);
    // Two images wait for their import, and a third would be one more that takes data in.
    let id = planned(&member).await;
    let refused = member.upload(&id, b"x").await;
    assert_over(&refused, &over("image_count_uploading", 2, 3, 0));
    let image = member.get(&format!("/v2/images/{id}")).await.json();
    assert_eq!(image["status"], "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_do_not_say_how_much_it_is_no_more_pass_than_may() {
    let (_keystone, cloud) = limited(|limits| {
        limits.registered.insert("image_size_total", 6);
    })
    .await;
    let member = cloud.member();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(planned(&member).await);
    }
    let streamed = join_all(ids.iter().map(|id| async move {
        let path = format!("/v2/images/{id}/file");
        member.stream(&path, &DATA).await.status
    }));
    for status in streamed.await {
        assert!(
            [StatusCode::NO_CONTENT, StatusCode::PAYLOAD_TOO_LARGE].contains(&status),
            "{status}"
        );
    }
    let usage = member.get("/v2/info/usage").await.json();
    let kept = usage["usage"]["image_size_total"]["usage"].as_u64();
    assert!(kept.unwrap() <= 6, "{usage}");
    // What the others held is free again.
    while upload(&member, &DATA).await.status == StatusCode::NO_CONTENT {}
    let usage = member.get("/v2/info/usage").await.json();
    assert_eq!(usage["usage"]["image_size_total"]["usage"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_declare_the_same_last_room_one_gets_it() {
    let (_keystone, cloud) = limited(|limits| {
        limits.registered.insert("image_size_total", 4);
        limits.registered.insert("image_count_total", 8);
    })
    .await;
    let member = cloud.member();
    let made = join_all((0..12).map(|_| async {
        let formats = json!({"disk_format": "raw", "container_format": "bare"});
        member.post("/v2/images", &formats).await
    }))
    .await;
    let made: Vec<_> = made
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED)
        .collect();
    assert_eq!(made.len(), 8);
    let sent = join_all(made.iter().map(|answer| async {
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        member.upload(&id, &DATA[..MIB]).await.status
    }))
    .await;
    let taken = sent
        .iter()
        .filter(|status| **status == StatusCode::NO_CONTENT);
    assert_eq!(taken.count(), 4, "{sent:?}");
}

#[tokio::test]
async fn usage_and_limits_are_told_together() {
    let (_keystone, cloud) = limited(|limits| {
        limits.own.insert((PROJECT, "image_size_total"), 7);
        limits.registered.remove("image_stage_total");
    })
    .await;
    upload(&cloud.member(), &DATA).await;
    let told = cloud.member().get("/v2/info/usage").await;
    let one = |usage: i64, limit: i64| json!({"usage": usage, "limit": limit});
    let expected = json!({"usage": {
        "image_size_total": one(3, 7),
        "image_stage_total": one(0, 0),
        "image_count_total": one(1, 1000),
        "image_count_uploading": one(0, 1000),
    }});
    assert_eq!(told.text(), expected.to_string());
    let other: Value = cloud.neighbour().get("/v2/info/usage").await.json();
    assert_eq!(other["usage"]["image_size_total"], one(0, 1000));
}

#[tokio::test]
async fn a_family_shares_what_the_project_at_its_top_may_have() {
    let (_keystone, cloud) = limited(|limits| {
        limits.children = Some([("parent", vec![PROJECT, NEIGHBOUR])].into());
        limits.own.insert(("parent", "image_count_total"), 3);
        limits.own.insert((PROJECT, "image_count_total"), 2);
    })
    .await;
    let (member, neighbour) = (cloud.member(), cloud.neighbour());
    planned(&member).await;
    planned(&neighbour).await;
    planned(&neighbour).await;
    let refused = member.post("/v2/images", &json!({})).await;
    let sentence = over("image_count_total", 3, 3, 1).replace(PROJECT, "parent");
    assert_over(&refused, &sentence);
    // Somebody of another family.
    planned(&cloud.admin()).await;
}

#[tokio::test]
async fn the_endpoint_may_be_looked_for() {
    let keystone = FakeKeystone::new().await;
    keystone.limit(Limited::amply());
    let options = "endpoint_service_type = image\nendpoint_region_name = RegionOne";
    let cloud = cloud(&keystone, options).await;
    planned(&cloud.member()).await;
    // Where it is not found, nobody knows what holds.
    let other = "endpoint_service_type = image\nendpoint_interface = internal";
    let cloud = self::cloud(&keystone, other).await;
    let refused = cloud.member().post("/v2/images", &json!({})).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn without_keystone_nothing_is_added_and_nothing_hangs() {
    let (keystone, cloud) = limited(|_| {}).await;
    let member = cloud.member();
    let id = planned(&member).await;
    for mood in [Mood::Nonsense(502), Mood::Nonsense(200)] {
        keystone.be(mood);
        // Whoever hangs does so for half a minute.
        let uploaded = timeout(Duration::from_secs(25), member.upload(&id, b"x")).await;
        assert_eq!(uploaded.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
        let told = member.get("/v2/info/usage").await;
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    let image = member.get(&format!("/v2/images/{id}")).await;
    assert_eq!(image.json()["status"], "queued");
    keystone.be(Mood::Well);
    assert_eq!(
        member.upload(&id, b"x").await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_crowd_asks_keystone_once() {
    let keystone = FakeKeystone::new().await;
    keystone.limit(Limited::amply());
    let cloud = cloud(&keystone, &format!("endpoint_id = {ENDPOINT}")).await;
    let member = cloud.member();
    member.get("/v2/info/usage").await;
    let before = keystone.told();
    keystone.be(Mood::Slow);
    join_all((0..20).map(|_| member.get("/v2/info/usage"))).await;
    // The project's limits, and those that are registered.
    assert_eq!(keystone.told() - before, 2);
}

#[tokio::test]
async fn nobody_waits_long_for_a_keystone_that_says_nothing() {
    let keystone = FakeKeystone::new().await;
    keystone.limit(Limited::amply());
    let options = format!("endpoint_id = {ENDPOINT}\ntimeout = 1");
    let cloud = cloud(&keystone, &options).await;
    keystone.be(Mood::Silent);
    let member = cloud.member();
    let asked = join_all((0..5).map(|_| member.get("/v2/info/usage")));
    // Without the option it is half a minute.
    for told in timeout(Duration::from_secs(25), asked).await.unwrap() {
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
