//! The store that reads what web servers have.

use std::process::Command;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use glance::config::stores::HttpStoreConfig;
use glance::domain::uri_filter::UriFilter;
use glance::domain::{ImageId, Location};
use glance::store::http::{HttpStore, Patience};
use glance::store::{Error, Store};
use glance::stream::{Blob, ByteRange};

use super::{contents, stream_of};
use crate::support::{Origin, PATIENCE, Running, until, unused_port};

fn as_shipped() -> HttpStoreConfig {
    HttpStoreConfig {
        ca_file: None,
        insecure: true,
        proxies: Vec::new(),
        filter: UriFilter::default(),
    }
}

async fn with_filter(filter: UriFilter) -> HttpStore {
    let config = HttpStoreConfig {
        filter,
        ..as_shipped()
    };
    HttpStore::open(&config).await.unwrap()
}

/// What clients may name where they may name these servers of this machine.
fn these(origins: &[&Origin]) -> UriFilter {
    UriFilter {
        allowed_hosts: vec!["127.0.0.1".to_owned()],
        allowed_ports: origins.iter().map(|origin| origin.port()).collect(),
        ..UriFilter::default()
    }
}

async fn store() -> HttpStore {
    waiting(PATIENCE).await
}

/// A store that waits so long for a server.
async fn waiting(time: Duration) -> HttpStore {
    let patience = Patience {
        connect: time,
        silence: time,
    };
    HttpStore::with_patience(&as_shipped(), patience)
        .await
        .unwrap()
}

fn at(url: impl Into<String>) -> Location {
    Location::active(url, [].into())
}

#[tokio::test]
async fn a_web_server_tells_the_size_and_sends_the_data() {
    let (store, origin) = (store().await, Origin::new().await);
    let location = at(origin.url("/bytes/100001"));
    assert_eq!(store.size(&location).await.unwrap(), 100_001);
    let blob = store.get(&location, None).await.unwrap();
    assert!(contents(blob).await == Origin::bytes(100_001));
    assert_eq!(origin.asked(), ["HEAD /bytes/100001", "GET /bytes/100001"]);
}

#[tokio::test]
async fn a_part_is_that_part_whether_or_not_the_server_has_parts() {
    let (store, origin) = (store().await, Origin::new().await);
    let range = ByteRange {
        start: 70_000,
        end: 90_001,
    };
    for path in ["/bytes/100000", "/plain/100000"] {
        let blob = store.get(&at(origin.url(path)), Some(range)).await.unwrap();
        assert!(contents(blob).await == Origin::bytes(100_000)[70_000..90_001]);
    }
}

#[tokio::test]
async fn data_of_unknown_length_comes_to_its_end() {
    let (store, origin) = (store().await, Origin::new().await);
    let location = at(origin.url("/unsized/5000"));
    assert_eq!(store.size(&location).await.unwrap(), 0);
    let Blob { size, bytes } = store.get(&location, None).await.unwrap();
    let parts: Vec<_> = bytes.try_collect().await.unwrap();
    assert_eq!((size, parts.concat().len()), (None, 5000));
}

#[tokio::test]
async fn four_redirects_are_followed_of_two_kinds() {
    let (store, origin) = (store().await, Origin::new().await);
    let mut url = origin.url("/bytes/10");
    for code in [301, 302, 301, 302] {
        url = origin.url(&format!("/to/{code}?{url}"));
        assert_eq!(store.size(&at(url.clone())).await.unwrap(), 10);
    }
    for bad in [
        format!("/to/302?{url}"),
        format!("/to/307?{}", origin.url("/bytes/10")),
        "/to/302?/bytes/10".to_owned(),
        "/to/302?file:///etc/passwd".to_owned(),
        "/status/304".to_owned(),
    ] {
        let refused = store.size(&at(origin.url(&bad))).await;
        assert!(
            matches!(refused, Err(Error::BadAddress(_))),
            "{bad}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_held_to_the_rules_for_what_clients_name() {
    let (door, inner) = (Origin::new().await, Origin::new().await);
    let onward = at(door.url(&format!("/to/302?{}", inner.url("/bytes/10"))));
    let around = at(door.url(&format!("/to/302?{}", door.url("/bytes/10"))));
    let schemes = UriFilter {
        disallowed_schemes: vec!["http".to_owned()],
        ..these(&[&door, &inner])
    };
    for filter in [UriFilter::default(), these(&[&door]), schemes] {
        let store = with_filter(filter).await;
        let size = store.size(&onward).await;
        assert!(matches!(size, Err(Error::BadAddress(_))), "{size:?}");
        let data = store.get(&onward, None).await;
        assert!(matches!(data, Err(Error::RemoteUnavailable)), "{data:?}");
        // Who stays where it was sent to goes nowhere else.
        assert_eq!(store.size(&around).await.unwrap(), 10);
    }
    assert!(inner.asked().is_empty(), "{:?}", inner.asked());
    let store = with_filter(these(&[&door, &inner])).await;
    assert_eq!(store.size(&onward).await.unwrap(), 10);
}

#[tokio::test]
async fn credentials_do_not_go_on_with_a_redirect() {
    let (door, inner) = (Origin::new().await, Origin::new().await);
    let path = format!("/to/301?{}", inner.url("/bytes/10"));
    let url = door.url(&path).replacen("//", "//glance:secret@", 1);
    let store = with_filter(these(&[&door, &inner])).await;
    assert_eq!(store.size(&at(url)).await.unwrap(), 10);
    assert_eq!(door.asked_with_credentials(), [format!("HEAD {path}")]);
    assert_eq!(inner.asked(), ["HEAD /bytes/10"]);
    assert!(inner.asked_with_credentials().is_empty());
}

/// It may have stood for another machine when it was named.
#[tokio::test]
async fn a_name_that_stands_for_this_machine_is_not_connected_to_unless_it_is_allowed() {
    let origin = Origin::new().await;
    let named = at(origin.url("/bytes/5").replacen("127.0.0.1", "localhost", 1));
    let store = with_filter(UriFilter::default()).await;
    let data = store.get(&named, None).await;
    assert!(matches!(data, Err(Error::RemoteUnavailable)), "{data:?}");
    assert!(origin.asked().is_empty());
    let allowed = UriFilter {
        allowed_hosts: vec!["localhost".to_owned()],
        ..UriFilter::default()
    };
    assert_eq!(with_filter(allowed).await.size(&named).await.unwrap(), 5);
}

#[tokio::test]
async fn what_is_not_there_is_told_from_a_server_that_fails_or_is_away() {
    let (store, origin) = (store().await, Origin::new().await);
    let lost = store.get(&at(origin.url("/status/404")), None).await;
    assert!(matches!(lost, Err(Error::NotFound)), "{lost:?}");
    let failed = store.get(&at(origin.url("/status/500")), None).await;
    assert!(
        matches!(failed, Err(Error::RemoteUnavailable)),
        "{failed:?}"
    );

    let away = format!("http://127.0.0.1:{}/bytes/5", unused_port());
    let size = store.size(&at(away.clone())).await;
    assert!(matches!(size, Err(Error::BadAddress(_))), "{size:?}");
    let data = store.get(&at(away), None).await;
    assert!(matches!(data, Err(Error::RemoteUnavailable)), "{data:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_says_nothing() {
    let origin = Origin::new().await;
    let store = waiting(Duration::from_secs(3)).await;
    let asking = async {
        let silent = store.get(&at(origin.url("/silent")), None).await;
        assert!(
            matches!(silent, Err(Error::RemoteUnavailable)),
            "{silent:?}"
        );
        for path in ["/stall/1000000", "/short/1000000"] {
            let blob = store.get(&at(origin.url(path)), None).await.unwrap();
            let broken = blob.bytes.try_collect::<Vec<_>>().await.unwrap_err();
            assert!(!broken.to_string().contains("127.0.0.1"), "{broken}");
        }
    };
    // The server would say nothing for ever.
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    asked.expect("somebody waits for it");
}

#[tokio::test]
async fn nothing_is_written_to_a_web_server() {
    let (store, origin) = (store().await, Origin::new().await);
    let put = store.put(ImageId::random(), stream_of(b"x"), None).await;
    assert!(matches!(put, Err(Error::ReadOnly)), "{put:?}");
    let deleted = store.delete(&at(origin.url("/bytes/5"))).await;
    assert!(matches!(deleted, Err(Error::ReadOnly)), "{deleted:?}");
    assert!(origin.asked().is_empty());
}

#[tokio::test]
async fn a_proxy_is_asked_in_place_of_the_server() {
    let origin = Origin::new().await;
    let config = HttpStoreConfig {
        proxies: vec![("http".to_owned(), format!("127.0.0.1:{}", origin.port()))],
        ..as_shipped()
    };
    let store = HttpStore::open(&config).await.unwrap();
    let far = at("http://far.example/bytes/5");
    assert_eq!(store.size(&far).await.unwrap(), 5);
    assert_eq!(origin.asked(), ["HEAD http://far.example/bytes/5"]);
}

/// An authority, and a server that it knows.
const CERTIFICATES: &str = "
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test CA' -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout key.pem -out server.csr
printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem
";

#[tokio::test]
async fn certificates_are_looked_at_where_the_operator_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("sh")
        .args(["-ec", CERTIFICATES])
        .current_dir(dir.path())
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: there is no openssl to make certificates");
        return;
    }
    let port = unused_port();
    let mut server = Command::new("openssl");
    server
        .args([
            "s_server",
            "-quiet",
            "-HTTP",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .args(["-key", "key.pem", "-cert", "cert.pem"])
        .current_dir(dir.path())
        .stdin(std::process::Stdio::null());
    let _server = Running::start(&mut server);
    // The file that it serves is an answer as a whole.
    let answer = b"HTTP/1.0 200 OK\r\n\r\nencrypted on its way";
    std::fs::write(dir.path().join("image"), answer).unwrap();
    until("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });

    let ask = async |config: HttpStoreConfig| {
        let store = HttpStore::open(&config).await.unwrap();
        let blob = store
            .get(&at(format!("https://127.0.0.1:{port}/image")), None)
            .await;
        let bytes = blob.map_err(|error| error.to_string())?.bytes;
        let parts: Vec<_> = bytes
            .try_collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(parts.concat())
    };
    let strict = HttpStoreConfig {
        insecure: false,
        ..as_shipped()
    };
    let named = HttpStoreConfig {
        ca_file: Some(dir.path().join("ca.pem")),
        ..strict.clone()
    };
    let (shipped, strict, named) = (ask(as_shipped()).await, ask(strict).await, ask(named).await);
    assert_eq!(shipped.unwrap(), b"encrypted on its way");
    assert!(strict.is_err());
    assert_eq!(named.unwrap(), b"encrypted on its way");
}
