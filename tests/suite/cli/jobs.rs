//! The jobs that cron runs: `glance-cache-pruner`, `-cleaner` and `-prefetcher`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{CLEANER, IMAGE, Node, OTHER, PREFETCHER, PRUNER, run, tool};

#[test]
fn all_are_quiet_when_all_is_well() {
    let node = Node::new().holding(IMAGE, 1, 0);
    for job in [PRUNER, CLEANER, PREFETCHER] {
        assert_eq!(node.job(job, &[]).quietly(), "", "{job}");
    }
    assert!(node.has(IMAGE));
}

#[test]
fn the_pruner_takes_what_was_not_used_for_longest() {
    let node = Node::new().holding(IMAGE, 600, 0).holding(OTHER, 600, 60);
    node.configure("image_cache_max_size = 1000");
    let report = node.job(PRUNER, &["--dry-run", "--json"]).quietly();
    let expected = "{\"dry_run\":true,\"total_files_pruned\":1,\"total_bytes_pruned\":600}\n";
    assert_eq!(report, expected);
    assert!(node.has(IMAGE));

    let said = node.job(PRUNER, &["--dry-run"]).quietly();
    assert_eq!(said, "Would prune 1 image, 600 B\n");
    assert_eq!(node.job(PRUNER, &[]).quietly(), "");
    assert!(!node.has(IMAGE) && node.has(OTHER));
}

#[test]
fn the_pruner_says_what_keeps_the_cache_over_its_limit() {
    let node = Node::new().holding(IMAGE, 600, 0).holding(OTHER, 600, 60);
    node.configure("image_cache_max_size = 500");
    let pins = node.cache().join(".glance/pins");
    fs::create_dir_all(&pins).unwrap();
    fs::write(pins.join(OTHER), "").unwrap();
    let said = node.job(PRUNER, &["--dry-run"]).quietly();
    let over = "the cache is 100 B over its limit by what is pinned, brought in, or not its own";
    assert_eq!(said, format!("Would prune 1 image, 600 B: {over}\n"));
    assert_eq!(node.job(PRUNER, &[]).quietly(), "");
    let said = node.job(PRUNER, &["--verbose"]).quietly();
    assert_eq!(said, format!("Pruned nothing: {over}\n"));
    assert!(!node.has(IMAGE) && node.has(OTHER));
}

#[test]
fn two_pruners_at_once_do_no_harm() {
    let node = Node::new().holding(IMAGE, 600, 0).holding(OTHER, 600, 60);
    node.configure("image_cache_max_size = 1000");
    let children: Vec<_> = (0..4)
        .map(|_| node.job_command(PRUNER).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert!(!node.has(IMAGE) && node.has(OTHER));
}

#[test]
fn the_cleaner_takes_away_invalid_data() {
    let node = Node::new();
    fs::write(node.cache().join("invalid").join(IMAGE), b"broken").unwrap();
    let report = node.job(CLEANER, &["--json", "--dry-run"]).quietly();
    assert_eq!(report, "{\"dry_run\":true,\"total_files_cleaned\":1}\n");
    assert!(node.has(format!("invalid/{IMAGE}")));
    assert_eq!(node.job(CLEANER, &[]).quietly(), "");
    assert!(!node.has(format!("invalid/{IMAGE}")));
}

#[test]
fn the_prefetcher_says_what_it_would_fetch() {
    let node = Node::new();
    node.manage(&["queue-image", "-f", IMAGE]).quietly();
    let said = node.job(PREFETCHER, &["--dry-run"]).quietly();
    assert_eq!(said, format!("Would fetch image {IMAGE}\n"));
}

#[test]
fn a_prefetcher_without_api_and_database_says_so_and_keeps_the_queue() {
    let node = Node::new();
    node.manage(&["queue-image", "-f", IMAGE]).quietly();
    let err = node.job(PREFETCHER, &[]).failing(1);
    assert!(err.starts_with("No API answers on 127.0.0.1:"), "{err}");
    assert!(
        err.contains("the store cannot be read (the configuration names no database"),
        "{err}"
    );
    assert!(err.ends_with("is glance-api running?\n"), "{err}");
    assert!(node.has(format!("queue/{IMAGE}")));
}

#[test]
fn a_configuration_without_a_cache_is_told_with_what_to_set() {
    let node = Node::new();
    fs::write(node.conf(), "[DEFAULT]\n").unwrap();
    for job in [PRUNER, CLEANER, PREFETCHER] {
        let err = node.job(job, &[]).failing(1);
        assert!(err.contains("set image_cache_dir in "), "{job}: {err}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for job in [PRUNER, CLEANER, PREFETCHER] {
        let err = run(tool(job).args(["--config-file", "/nowhere/glance-cache.conf"])).failing(1);
        let told = "/nowhere/glance-cache.conf: No such file or directory (os error 2)\n";
        assert!(err.ends_with(told), "{job}: {err}");
    }
}

#[test]
fn a_schedule_that_is_none_is_a_usage_error() {
    let err = run(tool(PRUNER).args(["--schedule", "61 * * * *"])).failing(2);
    assert!(err.contains("crontab(5)"), "{err}");
}

#[test]
fn with_a_schedule_it_stays_and_runs_again() {
    let node = Node::new();
    let mut child = node
        .job_command(CLEANER)
        .args(["--json", "--schedule", "* * * * * *"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let reports = BufReader::new(child.stdout.take().unwrap()).lines().take(2);
    let reports: Vec<_> = reports.map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        reports,
        ["{\"dry_run\":false,\"total_files_cleaned\":0}"; 2]
    );
}

#[test]
fn a_cache_that_is_not_made_yet_is_nothing_to_do() {
    let node = Node::new();
    fs::remove_dir_all(node.cache()).unwrap();
    for job in [PRUNER, CLEANER, PREFETCHER] {
        assert_eq!(node.job(job, &[]).quietly(), "", "{job}");
        let told = node.job(job, &["--verbose"]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(told.err.contains("cache does not exist yet\n"), "{told:?}");
        assert!(!node.cache().exists(), "{job} makes none");
    }
}

#[test]
fn the_cleaner_says_in_words_why_a_file_goes() {
    let node = Node::new();
    fs::write(node.cache().join("invalid").join(IMAGE), b"broken").unwrap();
    fs::write(node.cache().join("incomplete").join("zz"), b"").unwrap();
    node.configure("image_cache_stall_time = 0");
    let told = node.job(CLEANER, &["--verbose"]);
    assert!(
        told.err.contains("(it was not the image's data)"),
        "{told:?}"
    );
    assert!(told.err.contains("zz (it is no image's, and"), "{told:?}");
}
