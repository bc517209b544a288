//! `glance-cache-manage`

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::{CACHE_MANAGE, Ended, IMAGE, Node, OTHER, run, tool, unused_port};

#[test]
fn an_empty_cache_is_told_in_a_sentence() {
    let node = Node::new();
    assert_eq!(
        node.manage(&["list-cached"]).quietly(),
        "No cached images.\n"
    );
    assert_eq!(
        node.manage(&["list-queued"]).quietly(),
        "No queued images.\n"
    );
}

#[test]
fn a_cache_is_listed_in_the_table_that_scripts_know() {
    let node = Node::new()
        .holding(IMAGE, 10_485_760, 0)
        .holding(OTHER, 1, 60);
    let expected = "\
Found 2 cached images...
+--------------------------------------+---------------------+---------------------+----------+------+
|                  ID                  | Last Accessed (UTC) | Last Modified (UTC) |     Size | Hits |
+--------------------------------------+---------------------+---------------------+----------+------+
| 7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 | 2023-11-14T22:14:20 | 2023-11-14T22:14:20 |        1 |    0 |
| 6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 | 2023-11-14T22:13:20 | 2023-11-14T22:13:20 | 10485760 |    0 |
+--------------------------------------+---------------------+---------------------+----------+------+
";
    assert_eq!(node.manage(&["list-cached"]).quietly(), expected);
}

#[test]
fn json_has_the_words_of_the_api() {
    let node = Node::new().holding(IMAGE, 7, 0);
    let out = node.manage(&["--json", "list-cached"]).quietly();
    let expected = format!(
        "{{\"cached_images\":[{{\"image_id\":\"{IMAGE}\",\"size\":7,\"hits\":0,\
         \"last_accessed\":1700000000.0,\"last_modified\":1700000000.0}}]}}\n"
    );
    assert_eq!(out, expected);
}

#[test]
fn images_are_queued_in_order_and_taken_back() {
    let node = Node::new();
    let out = node.manage(&["queue-image", "-f", OTHER, IMAGE]).quietly();
    assert_eq!(out, "");
    assert!(node.has(format!("queue/{IMAGE}")));
    let expected = format!("{{\"queued_images\":[\"{OTHER}\",\"{IMAGE}\"]}}\n");
    assert_eq!(node.manage(&["list-queued", "--json"]).quietly(), expected);

    node.manage(&["delete-queued-image", "-f", OTHER]).quietly();
    assert!(!node.has(format!("queue/{OTHER}")));
    let out = node
        .manage(&["-f", "--json", "delete-all-queued-images"])
        .quietly();
    assert_eq!(out, "{\"num_deleted\":1}\n");
}

#[test]
fn cached_images_are_deleted_one_by_one_or_all() {
    let node = Node::new().holding(IMAGE, 1, 0).holding(OTHER, 1, 0);
    node.manage(&["-f", "delete-cached-image", IMAGE]).quietly();
    assert!(!node.has(IMAGE) && node.has(OTHER));
    node.manage(&["-f", "delete-all-cached-images"]).quietly();
    assert!(!node.has(OTHER));
}

#[test]
fn verbose_says_what_was_done_and_how_long_it_took() {
    let node = Node::new();
    let out = node.manage(&["queue-image", "-fv", IMAGE]).quietly();
    let (done, took) = out.split_once('\n').unwrap();
    assert_eq!(done, format!("Queued image {IMAGE} for caching"));
    assert!(
        took.starts_with("Completed in ") && took.ends_with(" sec.\n"),
        "{took}"
    );
}

#[test]
fn a_question_is_asked_and_no_means_no() {
    let node = Node::new().holding(IMAGE, 1, 0);
    for (answer, stays) in [("n\n", true), ("\n", true), ("y\n", false)] {
        let mut child = tool(CACHE_MANAGE)
            .args(["delete-cached-image", IMAGE, "--cache-dir"])
            .arg(node.cache())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{answer:?}");
        assert_eq!(ended.err, format!("Delete cached image {IMAGE}? [y/N] "));
        assert_eq!(node.has(IMAGE), stays, "{answer:?}");
    }
}

#[test]
fn without_an_answer_nothing_is_done() {
    let node = Node::new().holding(IMAGE, 1, 0);
    let err = node.manage(&["delete-all-cached-images"]).failing(1);
    assert!(
        err.ends_with("--force goes ahead without asking\n"),
        "{err}"
    );
    assert!(node.has(IMAGE));
}

#[test]
fn a_dry_run_says_what_would_go_and_leaves_it() {
    let node = Node::new().holding(IMAGE, 1, 0);
    let ended = node.manage(&["delete-cached-image", "--dry-run", IMAGE, OTHER]);
    assert_eq!(ended.out, format!("Would delete cached image {IMAGE}\n"));
    assert_eq!(ended.err, format!("Image {OTHER} is not cached.\n"));
    let out = node.manage(&["queue-image", "--dry-run", OTHER]).quietly();
    assert_eq!(out, format!("Would queue image {OTHER} for caching\n"));
    assert!(node.has(IMAGE) && !node.has(format!("queue/{OTHER}")));
}

#[test]
fn what_is_no_id_is_refused_before_anything_is_done() {
    let node = Node::new();
    let err = node
        .manage(&["queue-image", "-f", IMAGE, "../../etc/passwd"])
        .failing(1);
    assert_eq!(err, "Image ID '../../etc/passwd' is not a valid UUID.\n");
    assert!(!node.has(format!("queue/{IMAGE}")));
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("typo");
    let err = run(tool(CACHE_MANAGE)
        .arg("list-cached")
        .arg("--cache-dir")
        .arg(&dir))
    .failing(1);
    assert!(err.contains("typo is no directory"), "{err}");
    assert!(!dir.exists());
}

#[test]
fn an_api_that_does_not_answer_is_told_with_what_to_do() {
    let port = unused_port().to_string();
    let err = run(tool(CACHE_MANAGE).args(["list-cached", "-p", &port])).failing(1);
    let expected = format!(
        "No API answers on 127.0.0.1:{port}: is glance-api running? --cache-dir works without it\n"
    );
    assert_eq!(err, expected);
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let code = |arguments: &[&str]| run(tool(CACHE_MANAGE).args(arguments)).code;
    assert_eq!(code(&["help"]), 0);
    assert_eq!(code(&["help", "queue-image"]), 0);
    assert_eq!(code(&["--version"]), 0);
    assert_eq!(code(&["help", "nonsense"]), 1);
    assert_eq!(code(&["nonsense"]), 1);
    assert_eq!(code(&[]), 2);
    // As in the original: what is missing is a failure, what is too much does no harm.
    for command in ["queue-image", "delete-cached-image", "delete-queued-image"] {
        assert_eq!(code(&[command]), 1, "{command}");
    }
    let node = Node::new();
    let directory = node.cache();
    let directory = directory.to_str().unwrap();
    for command in [
        "list-cached",
        "list-queued",
        "delete-all-cached-images",
        "delete-all-queued-images",
    ] {
        assert_eq!(
            code(&["-f", "--cache-dir", directory, command, "more"]),
            0,
            "{command}"
        );
    }
    assert_eq!(code(&["list-cached", "--nonsense"]), 2);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let node = Node::new().holding(IMAGE, 1, 0);
    let mut child = tool(CACHE_MANAGE)
        .args(["list-cached", "--cache-dir"])
        .arg(node.cache())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_secret_in_the_environment_stays_out_of_help_and_errors() {
    let port = unused_port().to_string();
    let said = |arguments: &[&str]| {
        let mut command = tool(CACHE_MANAGE);
        command
            .env("OS_AUTH_TOKEN", "t0psecret")
            .env("OS_PASSWORD", "t0psecret");
        let ended = run(command.args(arguments));
        ended.out + &ended.err
    };
    for arguments in [vec!["--help"], vec!["-d", "list-cached", "-p", &port]] {
        assert!(!said(&arguments).contains("t0psecret"), "{arguments:?}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(tool(CACHE_MANAGE).args(["completions", shell])).quietly();
        assert!(script.contains("delete-all-queued-images"), "{shell}");
    }
}

#[test]
fn reading_leaves_a_directory_as_it_was() {
    let node = Node::new().holding(IMAGE, 1, 0);
    let names = || {
        let mut names: Vec<_> = fs::read_dir(node.cache())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names();
    node.manage(&["list-cached"]).quietly();
    node.manage(&["list-queued"]).quietly();
    node.manage(&["delete-all-cached-images", "--dry-run"])
        .quietly();
    assert_eq!(names(), before);
}

#[test]
fn the_help_of_a_command_is_about_that_command() {
    let help = Node::new().manage(&["help", "delete-cached-image"]);
    assert!(help.out.contains("The images, by their ids"), "{help:?}");
    assert!(!help.out.contains("--os-auth-url"), "{help:?}");
    let all = Node::new().manage(&["help"]);
    assert!(all.out.contains("--os-auth-url"), "{all:?}");
    assert!(all.out.contains("or nobody answered"), "{all:?}");
}
