//! SIGHUP.

use super::*;

fn upload(server: &Server, bytes: &str) -> String {
    let head = server.upload_head(bytes.len());
    status(&ask(&mut server.connect(), &head, bytes)).to_owned()
}

#[test]
fn limits_change_at_once_and_the_rest_is_named() {
    let server = Home::with("image_size_cap = 10").start();
    assert_eq!(upload(&server, "more than ten bytes"), "413");
    server.home.configure("image_size_cap = 100\nbacklog = 77");
    server.child.signal(Signal::HUP);
    until("the larger image is taken", || {
        upload(&server, "more than ten bytes") == "204"
    });
    let told = "changed, but in force from the next start only: [DEFAULT] backlog\n";
    until("the log names the rest", || server.log().contains(told));
}

#[test]
fn what_stands_twice_with_one_value_has_not_changed() {
    let server = Home::with("").start();
    let log = server.home.path("api.log");
    server
        .home
        .configure(&format!("log_file = {}\nbacklog = 77", log.display()));
    server.child.signal(Signal::HUP);
    let told = "in force from the next start only: [DEFAULT] backlog\n";
    until("backlog alone is named", || server.log().contains(told));
}
