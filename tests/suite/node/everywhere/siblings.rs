//! Nodes of the original's on the same database.

use serde_json::json;

use super::original::Original;
use super::{MISSING, Pair, read};
use crate::support::{CACHE_MANAGE, run};

#[test]
fn siblings_of_the_original_are_asked_for_what_they_know() {
    let pair = Pair::new();
    let [image, other, third] = [(); 3].map(|()| pair.tagged("edge"));
    let original = Original::with(&[&image.id], &[&other.id]);
    let name = original.name();
    pair.meets(&name, 3);
    let listed = read(&pair.manage(&["list-cached", "--all-nodes", "--json"]));
    assert_eq!(listed["cached_images"][0]["node"], *name);
    let queued = pair.manage(&["list-queued", "--all-nodes"]).quietly();
    assert!(
        queued.contains(&format!("| {name} | {} |", other.id)),
        "{queued}"
    );
    pair.manage(&["list-nodes"]).quietly();

    // What a call would take away beside what is meant stays.
    pair.manage(&["delete-cached-image", "--all-nodes", &other.id])
        .quietly();
    pair.manage(&["delete-queued-image", "--all-nodes", &image.id])
        .quietly();
    assert!(original.changes().is_empty());
    pair.manage(&["delete-cached-image", "--all-nodes", &image.id])
        .quietly();
    pair.manage(&["delete-queued-image", "--all-nodes", &other.id])
        .quietly();
    pair.manage(&["queue-image", "--all-nodes", &third.id])
        .quietly();
    let all = read(&pair.manage(&["delete-all-queued-images", "--all-nodes", "--json"]));
    let rows = all["nodes"].as_array().unwrap();
    let row = rows.iter().find(|row| row["node"] == *name).unwrap();
    assert_eq!(row["num_deleted"], 1);
    pair.manage(&["delete-all-cached-images", "--all-nodes"])
        .quietly();
    assert_eq!(
        original.changes(),
        [
            format!("DELETE /v2/cache/{}", image.id),
            format!("DELETE /v2/cache/{}", other.id),
            format!("PUT /v2/cache/{}", third.id),
            "DELETE /v2/cache queue".to_owned(),
            "DELETE /v2/cache cache".to_owned(),
        ]
    );
    let lost = pair.manage(&["queue-image", "--all-nodes", MISSING]);
    let sentence = format!("{name}: {MISSING}: No image found with ID {MISSING}\n");
    assert_eq!(lost.failing(1), sentence);
    let sentence = "It pins no images: it is the original's, or an older one";
    let pins = || pair.nodes[1].get("/v2/cache/pins").json()["pinned_images"].clone();
    for (command, pinned) in [("pin", json!([image.id])), ("unpin", json!([]))] {
        let refused = pair.manage(&[command, "--all-nodes", &image.id]);
        assert_eq!(refused.failing(1), format!("{name}: {sentence}\n"));
        assert_eq!(pins(), pinned);
    }

    let port = original.port().to_string();
    let mut tool = pair.sites[0].plain(CACHE_MANAGE);
    let asked = run(tool.args(["-p", &port, "list-nodes"])).failing(1);
    assert!(
        asked.starts_with(&format!("127.0.0.1:{port} knows of no nodes to tell: ")),
        "{asked}"
    );
}
