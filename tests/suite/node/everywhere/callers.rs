//! As whom nodes are asked, and what somebody is asked first.

use std::io::Write as _;
use std::process::Stdio;

use super::Pair;
use super::original::Original;
use crate::support::{CACHE_MANAGE, Ended, FakeKeystone, run};

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_are_asked_with_one_token() {
    let keystone = FakeKeystone::new().await;
    let pair = Pair::new();
    let originals = [(); 2].map(|()| Original::with(&[], &[]));
    for (known, original) in originals.iter().enumerate() {
        pair.meets(&original.name(), known + 3);
    }
    let (url, port) = (keystone.url(), pair.port());
    let mut tool = pair.sites[0].plain(CACHE_MANAGE);
    tool.args(["list-queued", "--all-nodes", "-p", &port])
        .args(["--os-auth-url", &url, "--os-username", "glance"])
        .args(["--os-password", "secret", "--os-project-name", "service"]);
    let listed = tokio::task::spawn_blocking(move || run(&mut tool));
    assert_eq!(listed.await.unwrap().quietly(), "No queued images.\n");
    assert_eq!(keystone.issued(), 1);
    for original in originals {
        // The call that it does not know, and the one that it does.
        assert_eq!(original.tokens(), ["service-1", "service-1"]);
    }
}

#[test]
fn one_question_is_for_all_nodes_and_no_means_no() {
    let pair = Pair::new();
    let image = pair.tagged("edge");
    let asked = |answer: &str| {
        let mut tool = pair.sites[0].plain(CACHE_MANAGE);
        tool.args([
            "queue-image",
            "--all-nodes",
            "--verbose",
            "-p",
            &pair.port(),
        ])
        .args(["--tag", "edge"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
        let mut child = tool.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        Ended::from(child.wait_with_output().unwrap())
    };
    let question = format!("Queue image {} for caching on 2 nodes? [y/N] ", image.id);
    let no = asked("n\n");
    assert_eq!((no.code, &no.err), (0, &question));
    assert!(!no.out.contains("Queued"), "{no:?}");
    assert!(pair.nodes.iter().all(|node| node.listing().is_empty()));
    let yes = asked("y\n");
    assert_eq!((yes.code, &yes.err), (0, &question));
    assert_eq!(yes.out.matches("Queued image").count(), 2, "{yes:?}");
    pair.nodes.iter().for_each(|node| node.caches(&image));
}
