//! The tools beside a real `glance-api`, each a process of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;

use rustix::process::Signal;

use super::{CACHE_MANAGE, CLEANER, Ended, IMAGE, Node, OTHER, PREFETCHER, PRUNER, run, tool};
use crate::support::{API, PATIENCE, Running, until};

const MISSING: &str = "00000000-0000-4000-8000-000000000404";

/// What the tools ask about, for a pipeline in which every caller is an administrator without roles.
const RULES: [&str; 10] = [
    "add_image",
    "cache_image",
    "cache_list",
    "delete_image",
    "download_image",
    "get_image",
    "get_images",
    "manage_image_cache",
    "modify_image",
    "upload_image",
];

/// A node whose `glance-api` runs.
pub(super) struct Live {
    pub(super) node: Node,
    port: String,
    server: Running,
}

impl Live {
    /// With `options` of `[image_cache]`, and a policy that allows what `RULES` name.
    pub(super) fn with(options: &str) -> Self {
        let rules = RULES.map(|rule| format!("{rule}: \"\"\n")).concat();
        Self::under(&rules, options)
    }

    fn under(policy: &str, options: &str) -> Self {
        let node = Node::new();
        let (home, policy_file) = (node.home.path(), node.home.path().join("policy.yaml"));
        fs::write(&policy_file, policy).unwrap();
        let conf = fs::read_to_string(node.conf()).unwrap();
        let conf = format!(
            "{conf}[database]\nconnection = sqlite:///{}\n[paste_deploy]\nflavor = cachemanagement\n\
             [oslo_policy]\npolicy_file = {}\n[image_cache]\n{options}\n",
            home.join("glance.sqlite").display(),
            policy_file.display(),
        );
        fs::write(node.conf(), &conf).unwrap();
        let port = conf
            .lines()
            .find_map(|line| line.strip_prefix("bind_port = "));
        let port = port.unwrap().to_owned();
        let mut server = tool(API);
        server.arg("--config-file").arg(node.conf());
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Running::start(&mut server);
        let live = Self { node, port, server };
        until("it listens", || {
            TcpStream::connect(format!("127.0.0.1:{}", live.port)).is_ok()
        });
        live
    }

    /// Makes an image of `bytes`.
    pub(super) fn holding(self, id: &str, bytes: &[u8]) -> Self {
        let image =
            format!("{{\"id\":\"{id}\",\"disk_format\":\"raw\",\"container_format\":\"bare\"}}");
        let created = self.ask("POST", "/v2/images", "application/json", image.as_bytes());
        assert!(created.starts_with("HTTP/1.1 201"), "{created}");
        let path = format!("/v2/images/{id}/file");
        let uploaded = self.ask("PUT", &path, "application/octet-stream", bytes);
        assert!(uploaded.starts_with("HTTP/1.1 204"), "{uploaded}");
        self
    }

    /// Gives an image a tag.
    pub(super) fn tagged(&self, id: &str, tag: &str) {
        let tagged = self.ask(
            "PUT",
            &format!("/v2/images/{id}/tags/{tag}"),
            "text/plain",
            b"",
        );
        assert!(tagged.starts_with("HTTP/1.1 204"), "{tagged}");
    }

    /// Takes a tag off an image.
    pub(super) fn untagged(&self, id: &str, tag: &str) {
        let path = format!("/v2/images/{id}/tags/{tag}");
        let untagged = self.ask("DELETE", &path, "text/plain", b"");
        assert!(untagged.starts_with("HTTP/1.1 204"), "{untagged}");
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let kind = format!("Content-Type: {kind}\r\n");
        self.ask_with(method, path, &kind, body)
    }

    /// Downloads an image, or with a header that says so a part of it.
    pub(super) fn download(&self, id: &str, range: &str) {
        let path = format!("/v2/images/{id}/file");
        let answer = self.ask_with("GET", &path, range, b"");
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    fn ask_with(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// `glance-cache-manage` through the API.
    pub(super) fn manage(&self, arguments: &[&str]) -> Ended {
        run(tool(CACHE_MANAGE).args(["-p", &self.port]).args(arguments))
    }

    fn stop(&mut self) {
        self.server.signal(Signal::TERM);
        self.server.wait();
    }
}

#[test]
fn images_are_queued_fetched_listed_and_deleted_through_the_api() {
    let live = Live::with("queue_settle = 0")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    let out = live.manage(&["list-cached"]).quietly();
    assert_eq!(out, "No cached images.\n");

    let out = live
        .manage(&["queue-image", "-f", "--wait", "--json", IMAGE, OTHER])
        .quietly();
    let waited: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(waited["failed"], serde_json::json!([]));
    assert_eq!(waited["cached"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read(live.node.cache().join(IMAGE)).unwrap(), b"disk");

    let table = live.manage(&["list-cached"]).quietly();
    assert!(
        table.starts_with("Found 2 cached images...\n+---"),
        "{table}"
    );
    let out = live
        .manage(&["-fv", "delete-cached-image", IMAGE])
        .quietly();
    assert!(
        out.starts_with(&format!("Deleted cached image {IMAGE}\nCompleted in ")),
        "{out}"
    );
    assert!(!live.node.has(IMAGE) && live.node.has(OTHER));
    let out = live
        .manage(&["-f", "--json", "delete-all-cached-images"])
        .quietly();
    assert_eq!(out, "{\"num_deleted\":1}\n");
    assert!(!live.node.has(OTHER));
}

#[test]
fn images_rest_in_the_queue_and_are_taken_back_through_the_api() {
    let live = Live::with("queue_settle = 600")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    live.manage(&["queue-image", "-f", OTHER, IMAGE]).quietly();
    let expected = format!("{{\"queued_images\":[\"{OTHER}\",\"{IMAGE}\"]}}\n");
    assert_eq!(live.manage(&["list-queued", "--json"]).quietly(), expected);
    let table = live.manage(&["list-queued"]).quietly();
    assert!(
        table.starts_with("Found 2 queued images...\n+---"),
        "{table}"
    );

    live.manage(&["delete-queued-image", "-f", OTHER]).quietly();
    let out = live
        .manage(&["delete-all-queued-images", "-f", "--json"])
        .quietly();
    assert_eq!(out, "{\"num_deleted\":1}\n");
    assert_eq!(
        live.manage(&["list-queued"]).quietly(),
        "No queued images.\n"
    );
    assert!(!live.node.has(IMAGE));
}

#[test]
fn one_image_that_fails_does_not_keep_the_others_from_being_done() {
    let live = Live::with("queue_settle = 0").holding(IMAGE, b"disk");
    let ended = live.manage(&["queue-image", "-fv", "--wait", MISSING, IMAGE]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .err
            .starts_with(&format!("{MISSING}: it would never be cached")),
        "{ended:?}"
    );
    assert!(
        ended.out.contains(&format!("Cached image {IMAGE}\n")),
        "{ended:?}"
    );
    assert!(live.node.has(IMAGE));
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let live = Live::with("queue_settle = 600").holding(IMAGE, b"disk");
    let err = live
        .manage(&["queue-image", "-f", "--wait", "--timeout", "1", IMAGE])
        .failing(1);
    assert!(
        err.contains("is still not cached after 1 seconds: it stays queued"),
        "{err}"
    );
}

#[test]
fn a_policy_that_refuses_is_told_with_its_rules() {
    // Under the built-in rules a pipeline that asks nobody who they are may do nothing.
    let live = Live::under("", "");
    let err = live.manage(&["list-cached"]).failing(1);
    assert!(
        err.contains("the API's policy decides (manage_image_cache"),
        "{err}"
    );
}

#[test]
fn the_daemon_fetches_what_a_tool_puts_into_the_directory() {
    let live = Live::with("queue_settle = 0").holding(IMAGE, b"disk");
    live.node
        .manage(&["queue-image", "-f", "--wait", IMAGE])
        .quietly();
    assert_eq!(fs::read(live.node.cache().join(IMAGE)).unwrap(), b"disk");
    until("its queue is empty", || {
        !live.node.has(format!("queue/{IMAGE}"))
    });
    // What the tool takes away under the service is fetched again, not missed.
    live.node
        .manage(&["delete-all-cached-images", "-f"])
        .quietly();
    let answer = live.ask("GET", &format!("/v2/images/{IMAGE}/file"), "", b"");
    assert!(answer.ends_with("\r\n\r\ndisk"), "{answer}");
}

#[test]
fn the_prefetcher_asks_the_api_for_what_still_rests() {
    let live = Live::with("queue_settle = 600").holding(IMAGE, b"disk");
    live.manage(&["queue-image", "-f", IMAGE]).quietly();
    let report = live
        .node
        .job(PREFETCHER, &["--json", "--timeout", "30"])
        .quietly();
    let expected =
        format!("{{\"cached\":[\"{IMAGE}\"],\"deleted\":[],\"dry_run\":false,\"failed\":[]}}\n");
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(same(&report), same(&expected));
    assert_eq!(fs::read(live.node.cache().join(IMAGE)).unwrap(), b"disk");
}

#[test]
fn without_an_api_the_prefetcher_reads_the_store_itself() {
    let mut live = Live::with("").holding(IMAGE, b"disk");
    live.stop();
    live.node
        .manage(&["queue-image", "-f", IMAGE, MISSING])
        .quietly();
    let ended = live.node.job(PREFETCHER, &["--verbose"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains(&format!(
        "Image {MISSING} is not cached: the database knows no such image"
    )));
    assert!(
        ended.out.contains(&format!("Fetched image {IMAGE}\n")),
        "{ended:?}"
    );
    assert_eq!(fs::read(live.node.cache().join(IMAGE)).unwrap(), b"disk");
    assert!(!live.node.has(format!("queue/{IMAGE}")) && live.node.has(format!("queue/{MISSING}")));
}

#[test]
fn without_an_api_the_wish_for_a_deleted_image_leaves_the_queue() {
    let mut live = Live::with("").holding(IMAGE, b"disk");
    let deleted = live.ask("DELETE", &format!("/v2/images/{IMAGE}"), "", b"");
    assert!(deleted.starts_with("HTTP/1.1 204"), "{deleted}");
    live.stop();
    live.node.manage(&["queue-image", "-f", IMAGE]).quietly();
    let ended = live.node.job(PREFETCHER, &["--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let told = format!("image {IMAGE} is not fetched and leaves the queue: it was deleted");
    assert!(ended.err.contains(&told), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["deleted"], serde_json::json!([IMAGE]));
    assert!(!live.node.has(format!("queue/{IMAGE}")));
}

#[test]
fn a_cache_directory_that_is_none_is_told_in_a_sentence_and_once_in_the_log() {
    let live = Live::with("").holding(IMAGE, b"disk");
    let cache = live.node.cache();
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, b"").unwrap();
    for (method, path) in [
        ("GET", "/v2/cache".to_owned()),
        ("PUT", format!("/v2/cache/{IMAGE}")),
    ] {
        let answer = live.ask(method, &path, "", b"");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(
            answer.contains("cache directory of this node cannot be used (not a directory)"),
            "{answer}"
        );
        assert!(!answer.contains(cache.to_str().unwrap()), "{answer}");
    }
}

#[test]
fn an_address_that_leads_past_the_api_is_told() {
    let live = Live::with("");
    let host = format!("http://127.0.0.1:{}/wrong", live.port);
    let err = run(tool(CACHE_MANAGE).args(["list-cached", "-H", &host])).failing(1);
    assert!(
        err.contains("300 Multiple Choices: the address leads to no version"),
        "{err}"
    );
}

#[test]
fn the_jobs_run_beside_the_daemon_as_cron_runs_them() {
    let live = Live::with("queue_settle = 0").holding(IMAGE, b"disk");
    live.manage(&["queue-image", "-f", "--wait", IMAGE])
        .quietly();
    for job in [PRUNER, CLEANER, PREFETCHER] {
        assert_eq!(live.node.job(job, &[]).quietly(), "", "{job}");
    }
    assert!(live.node.has(IMAGE));
}
