//! What cannot be checked: an index that somebody holds, a database that is away, files that nobody may read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use super::super::MIB;
use super::super::site::Site;
use super::{Ended, eventually, fsck, stopped};
use crate::support::{CACHE_MANAGE, run};

/// What was looked at is told, and nobody says that nothing is wrong.
#[track_caller]
fn is_partly_checked(ended: &Ended, told: &str) {
    assert_eq!(ended.code, 2, "{ended:?}");
    let line = ended
        .out
        .lines()
        .find(|line| line.starts_with("not checked: "));
    assert!(line.is_some_and(|line| line.contains(told)), "{ended:?}");
    assert!(
        ended.out.contains("queue/x: has no image's name"),
        "{ended:?}"
    );
    assert!(
        ended.out.ends_with("; not everything could be checked\n"),
        "{ended:?}"
    );
    assert!(!ended.out.contains("nothing is wrong"), "{ended:?}");
}

#[test]
fn without_a_directory_there_is_nothing_to_check() {
    let (site, _) = stopped(&[]);
    fs::remove_dir_all(site.path("cache")).unwrap();
    let ended = fsck(&site, &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
}

#[test]
fn an_index_that_somebody_holds_keeps_nothing_else_from_being_checked() {
    let (site, _) = stopped(&[MIB]);
    let holder = rusqlite::Connection::open(site.cache("cache.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    fs::write(site.cache("queue/x"), b"").unwrap();
    let told = "cache.db: cannot be read, so rows are not checked";
    is_partly_checked(&fsck(&site, &[]), told);
    is_partly_checked(&fsck(&site, &["--repair"]), told);
    assert_eq!(site.files("cache/queue"), [""; 0]);
    let ended = fsck(&site, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (ended.code, &json["findings"][0]["checked"]),
        (2, &false.into())
    );
    holder.execute_batch("COMMIT").unwrap();
    eventually(|| (fsck(&site, &[]).code == 0).then_some(()));
}

#[test]
fn a_database_that_is_away_keeps_nothing_else_from_being_checked() {
    let (site, _) = stopped(&[MIB]);
    let gone = site.path("gone.sqlite");
    let conf = fs::read_to_string(site.path("glance-api.conf")).unwrap();
    for url in [
        format!("sqlite:///{}", gone.display()),
        "mysql://root@127.0.0.1:1/glance".to_owned(),
    ] {
        let led_away = conf.replace(site.database().url(), &url);
        fs::write(site.path("glance-api.conf"), led_away).unwrap();
        fs::write(site.cache("queue/x"), b"").unwrap();
        let told = "does not answer, so nothing is held against the records";
        is_partly_checked(&fsck(&site, &[]), told);
        is_partly_checked(&fsck(&site, &["--repair", "--verify"]), told);
        assert!(!gone.exists(), "no database is made");
    }
    fs::write(site.path("glance-api.conf"), conf).unwrap();
    assert_eq!(fsck(&site, &[]).code, 0);
}

/// What `fsck` says to a user, where there is one that may read less than we.
fn as_user(site: &Site, user: Option<u32>) -> Ended {
    let mut command = site.plain(CACHE_MANAGE);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.args(["fsck", "--cache-dir"]);
    run(command.arg(site.path("cache")))
}

#[test]
fn a_copy_that_nobody_may_read_is_not_said_to_be_right() {
    let user = rustix::process::geteuid().is_root().then_some(65534);
    let site = Site::new();
    site.give_to(user);
    let node = site.start_as(user);
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    node.stop();
    assert_eq!(as_user(&site, user).code, 0);
    let copy = site.cache(&image.id);
    fs::set_permissions(&copy, Permissions::from_mode(0o0)).unwrap();
    fs::write(site.cache("queue/x"), b"").unwrap();
    is_partly_checked(&as_user(&site, user), "cannot be read by who asks");

    // Who uses root's rights for a wish or a pin has done no harm.
    fs::set_permissions(&copy, Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(site.cache("queue/x")).unwrap();
    if user.is_some() {
        fs::write(site.cache(".glance/pins").join(&image.id), b"").unwrap();
        let told = as_user(&site, user);
        assert_eq!(told.code, 0, "{told:?}");
        let lent = "belongs to user 0, and lets user 65534, who has the directory, read it; left alone: root alone";
        assert!(told.out.contains(lent), "{told:?}");
        let told = fsck(&site, &["--repair"]);
        assert!(told.out.contains("given to user 65534"), "{told:?}");
        assert!(!fsck(&site, &[]).out.contains("belongs to user"));
    }
}
