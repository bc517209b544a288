//! Images that rules bring in before anybody asks.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Image, Node};
use super::queue::ran;
use super::site::Site;
use super::{KIB, MIB, eventually};
use crate::support::{CACHE_MANAGE, until};

/// A site with these rules.
fn site(default: &str, rules: &str) -> Site {
    let site = Site::with(default, "queue_settle = 0");
    site.adds(rules);
    site
}

fn cached(node: &Node) -> Vec<String> {
    node.listing().into_keys().collect()
}

fn ids(images: &[&Image]) -> Vec<String> {
    let mut ids: Vec<String> = images.iter().map(|image| image.id.clone()).collect();
    ids.sort();
    ids
}

/// `glance-cache-manage prefetch-rules`
fn rules(site: &Site, arguments: &[&str], code: i32) -> (String, String) {
    let mut command = site.plain(CACHE_MANAGE);
    command.args(["prefetch-rules", "--force", "--config-file"]);
    command.arg(site.path("glance-api.conf")).args(arguments);
    ran(command, code)
}

#[test]
fn an_uploaded_image_is_brought_in_where_a_rule_wants_it() {
    let site = site(
        "",
        "[image_cache_prefetch:gold]\non = upload\ntag = gold\nproperty = os_distro=debian\n",
    );
    let node = site.start();
    let [plain, other, gold] = [
        json!({"tags": ["gold"]}),
        json!({"os_distro": "debian"}),
        json!({"tags": ["new", "gold"], "os_distro": "debian"}),
    ]
    .map(|like| node.image_as(MIB, &like));
    node.caches(&gold);
    node.says(&format!("rule gold: image {} is here, 0 to come", gold.id));
    assert_eq!(cached(&node), ids(&[&gold]), "{} {}", plain.id, other.id);
    node.stop();
}

#[test]
fn an_image_that_another_node_took_is_seen_in_the_database() {
    let far = Site::new();
    let near = site("", "[image_cache_prefetch:all]\non = upload\n");
    near.shares_with(&far);
    let (far, near) = (far.start(), near.start());
    let image = far.image(MIB);
    near.caches(&image);
    assert_eq!(cached(&far), [""; 0]);
    far.stop();
    near.stop();
}

#[test]
fn what_a_rule_wants_stays_over_a_restart_until_it_looks_again() {
    let site = Site::with("", "queue_settle = 0\nttl = 1");
    site.adds("[image_cache_prefetch:gold]\nschedule = 0 0 29 2 *\ntag = gold\n");
    let node = site.start();
    let gold = node.image_as(MIB, &json!({"tags": ["gold"]}));
    rules(&site, &[], 0);
    node.caches(&gold);
    node.stop();
    let node = site.start();
    // What came later and leaves shows that the time of the other is over as well.
    let plain = node.image(MIB);
    node.serves(&plain);
    node.says(&format!("cached image {}", plain.id));
    until("what nobody wants leaves", || {
        cached(&node) == ids(&[&gold])
    });
    node.stop();

    // A rule that is not there any more wants nothing.
    let path = site.path("glance-api.conf");
    let conf = fs::read_to_string(&path).unwrap();
    fs::write(&path, conf.replace("prefetch:gold]", "prefetch:silver]")).unwrap();
    let node = site.start();
    until("nobody wants the other any more", || {
        cached(&node).is_empty()
    });
    node.stop();
}

#[test]
fn what_came_while_nobody_looked_is_brought_in_at_the_start() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    node.stop();
    site.adds("[image_cache_prefetch:all]\non = upload\n");
    let node = site.start();
    node.caches(&image);
    node.stop();
}

/// Does it in another second: MySQL keeps no fractions, and of the same second nobody is newer.
fn later<T>(act: impl FnOnce() -> T) -> T {
    thread::sleep(Duration::from_millis(1100));
    act()
}

#[test]
fn of_a_family_the_newest_are_brought_in_when_the_schedule_says() {
    let site = site(
        "",
        "[image_cache_prefetch:newest]\nschedule = * * * * * *\nnewest = 2\nfamily = os_distro\n",
    );
    let node = site.start();
    let [debian, suse] = ["debian", "suse"].map(|name| json!({"os_distro": name}));
    let old = node.image_as(MIB, &debian);
    node.caches(&old);
    let alone = node.image(MIB);
    let new = [&suse, &debian, &debian].map(|like| later(|| node.image_as(MIB, like)));
    for image in &new {
        node.caches(image);
    }
    assert!(!cached(&node).contains(&alone.id));
    let (out, _) = rules(&site, &["--dry-run", "newest"], 0);
    assert!(out.starts_with(
        "Rule newest, at \"* * * * * *\", priority 0: 3 images, 3 cached, 0 to ask for (0 B); all fit\n"
    ), "{out}");
    for (image, why) in new.iter().zip([
        "1 of the newest 2 of os_distro=suse",
        "2 of the newest 2 of os_distro=debian",
        "1 of the newest 2 of os_distro=debian",
    ]) {
        let line = out
            .lines()
            .find(|line| line.contains(&image.id))
            .expect(&out);
        assert!(line.contains(why) && line.contains(" cached "), "{line}");
    }
    node.stop();
}

#[test]
fn a_rule_whose_images_do_not_fit_stops_there_says_so_once_and_takes_no_room_from_others() {
    let site = site(
        &format!("image_cache_max_size = {}", 4 * MIB),
        "[image_cache_prefetch:small]\nschedule = * * * * * *\nproperty = is=small\npriority = 5\n\
         [image_cache_prefetch:large]\nschedule = * * * * * *\nproperty = is=large\n",
    );
    let node = site.start();
    // Of these the rule gets the latest that fit beside what is more important.
    let large = [(); 3].map(|()| later(|| node.image_as(3 * MIB / 2, &json!({"is": "large"}))));
    let bystander = node.image(MIB);
    node.serves(&bystander);
    let small = [(); 2].map(|()| node.image_as(3 * MIB / 4, &json!({"is": "small"})));
    let expected = ids(&[&small[0], &small[1], &large[2]]);
    let stops = format!(
        "rule large stops at image {} of {} bytes",
        large[1].id,
        3 * MIB / 2
    );
    node.says(&stops);
    until("what fits is here", || {
        expected.iter().all(|id| cached(&node).contains(id))
    });
    let begun = Instant::now();
    let evicted = || node.lines_with(&["to make room"]);
    let before = evicted();
    while begun.elapsed() < Duration::from_secs(4) {
        assert!(
            expected.iter().all(|id| cached(&node).contains(id)),
            "{}",
            node.log()
        );
    }
    assert_eq!(node.lines_with(&[&stops]), 1, "{}", node.log());
    assert_eq!(evicted(), before, "{}", node.log());

    // The other one that is here leaves for what a rule wants, and none of what rules want does.
    let third = node.image_as(MIB / 4, &json!({"is": "small"}));
    node.caches(&third);
    for id in &expected {
        assert!(cached(&node).contains(id), "{}", node.log());
    }
    assert!(!cached(&node).contains(&bystander.id), "{}", node.log());
    node.stop();
}

#[test]
fn for_a_rule_copies_leave_in_the_order_of_all_and_pinned_ones_do_not() {
    let site = site(
        &format!("image_cache_max_size = {}", 4 * MIB),
        "[image_cache_prefetch:gold]\non = upload\ntag = gold\n",
    );
    let node = site.start();
    let [popular, once, pinned] = [(); 3].map(|()| node.image(MIB));
    let pin = format!("/v2/cache/pins/{}", pinned.id);
    assert_eq!(node.ask("PUT", &pin).status, 204);
    for image in [&popular, &popular, &popular, &pinned, &once] {
        node.serves(image);
        node.caches(image);
    }
    // What was used last of all was used once.
    let gold = json!({"tags": ["gold"]});
    let first = node.image_as(2 * MIB, &gold);
    node.caches(&first);
    assert_eq!(cached(&node), ids(&[&popular, &pinned, &first]));
    assert_eq!(node.lines_with(&[&once.id, "evicted", "reason=room"]), 1);

    let second = later(|| node.image_as(3 * MIB / 2, &gold));
    node.says(&format!("rule gold stops at image {}", first.id));
    node.caches(&second);
    assert!(cached(&node).contains(&pinned.id), "{}", node.log());
    // A pinned image that a rule wants takes its room once.
    for (method, path) in [
        ("DELETE", &first.id),
        ("PUT", &format!("{}/tags/gold", pinned.id)),
    ] {
        let answer = node.ask(method, &format!("/v2/images/{path}"));
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    let third = later(|| node.image_as(5 * MIB / 4, &gold));
    node.caches(&third);
    assert_eq!(cached(&node), ids(&[&pinned, &second, &third]));
    let (out, _) = rules(&site, &["--dry-run", "--json"], 0);
    let seen: Value = serde_json::from_str(&out).unwrap();
    let images = seen["rules"][0]["images"].as_array().unwrap();
    let states: Vec<_> = images.iter().map(|image| &image["state"]).collect();
    assert_eq!(states, ["cached"; 3], "{out}");
    node.stop();
}

#[test]
fn what_rules_want_leaves_for_downloads_last() {
    let site = site(
        &format!("image_cache_max_size = {}", 4 * MIB),
        "[image_cache_prefetch:gold]\non = upload\ntag = gold\n",
    );
    let node = site.start();
    let gold = [(); 2].map(|()| node.image_as(3 * MIB / 2, &json!({"tags": ["gold"]})));
    for image in &gold {
        node.caches(image);
    }
    // Each of these was used more often, and later.
    for _ in 0..4 {
        let other = node.image(MIB);
        for _ in 0..3 {
            node.serves(&other);
            node.caches(&other);
        }
        assert_eq!(cached(&node), ids(&[&gold[0], &gold[1], &other]));
    }
    // No download is turned away for them.
    let large = node.image(2 * MIB);
    node.serves(&large);
    node.caches(&large);
    let left = gold
        .iter()
        .filter(|image| cached(&node).contains(&image.id));
    assert_eq!(left.count(), 1, "{}", node.log());
    node.stop();
}

#[test]
fn what_a_rule_fetches_is_as_slow_as_it_says_until_somebody_waits_for_it() {
    let site = site(
        "",
        "[image_cache_prefetch:slow]\non = upload\nbandwidth = 64KiB/s\n",
    );
    let node = site.start();
    let image = node.image(20 * MIB);
    until("it is on its way", || {
        site.cache("incomplete").join(&image.id).exists()
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(cached(&node), [""; 0]);
    // At that pace it would take more than five minutes.
    node.serves(&image);
    node.caches(&image);
    node.stop();
}

#[test]
fn the_tool_shows_what_rules_want_and_asks_for_it() {
    let site = Site::with("image_cache_max_size = 1000000", "queue_settle = 3600");
    let node = site.start();
    let [small, large] = [KIB, 999 * KIB].map(|size| later(|| node.image(size)));
    let empty = rules(&site, &["--dry-run"], 0).0;
    assert_eq!(empty, "No rules of prefetching.\n");
    node.stop();
    site.adds(
        "[image_cache_prefetch:small]\nschedule =\non = upload\nnewest = 2\n\
         [image_cache_prefetch:tagged]\nschedule = 0 3 1 1 *\ntag = gold\npriority = 1\n",
    );
    let (out, err) = rules(&site, &["--dry-run", "--json"], 0);
    assert_eq!(err, "");
    let seen: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(seen["rules"][0]["rule"], "tagged");
    let wanted = &seen["rules"][1];
    assert_eq!(
        (&wanted["fits"], &wanted["bytes_missing"]),
        (&json!(false), &json!(1024))
    );
    let image = |image: &Image, why: &str, state: &str| json!({"image_id": image.id, "name": null, "size": image.data.len(), "why": why, "state": state});
    let first = image(&large, "1 of the newest 2", "too-large");
    let second = image(&small, "2 of the newest 2", "missing");
    assert_eq!(wanted["images"], json!([first, second]));
    assert_eq!(
        site.files("cache/queue"),
        [""; 0],
        "a dry run asks for nothing"
    );

    let conf = fs::read_to_string(site.path("glance-api.conf")).unwrap();
    let conf = conf.replace(
        "image_cache_max_size = 1000000",
        "image_cache_max_size = 2000000",
    );
    fs::write(site.path("glance-api.conf"), conf).unwrap();
    let (out, err) = rules(&site, &["SMALL", "--verbose"], 0);
    assert_eq!(err, "");
    for image in [&small, &large] {
        assert!(
            out.contains(&format!("Queued image {} for rule small\n", image.id)),
            "{out}"
        );
        let wish = fs::read_to_string(site.cache("queue").join(&image.id)).unwrap();
        assert_eq!(wish, "small\n");
    }
    let (_, err) = rules(&site, &["other"], 1);
    assert_eq!(
        err,
        "No rule of prefetching is called \"other\"; there are: tagged, small\n"
    );

    // One that is asked for by hand is somebody's, and the queue shows both.
    let node = site.start();
    node.ask("PUT", &format!("/v2/queued_images/{}", small.id));
    eventually(|| (fs::read(site.cache("queue").join(&small.id)).unwrap() == b"").then_some(()));
    assert_eq!(node.queued().as_array().unwrap().len(), 2);
    node.stop();
}
