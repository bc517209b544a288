//! SIGHUP.

use super::*;

fn upload(server: &Running, bytes: &str) -> String {
    let document = "{\"disk_format\": \"raw\", \"container_format\": \"bare\"}";
    let head = format!(
        "POST /v2/images HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        document.len()
    );
    let created = ask(&mut server.connect(), &head, document);
    let id = created
        .split("\"id\": \"")
        .nth(1)
        .or_else(|| created.split("\"id\":\"").nth(1));
    let id = &id.unwrap_or_else(|| panic!("{created}"))[..36];
    let head = format!(
        "PUT /v2/images/{id}/file HTTP/1.1\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n",
        bytes.len()
    );
    status(&ask(&mut server.connect(), &head, bytes)).to_owned()
}

#[test]
fn limits_change_at_once_and_the_rest_is_named() {
    let server = Home::with("image_size_cap = 10").start();
    assert_eq!(upload(&server, "more than ten bytes"), "413");
    server.home.configure("image_size_cap = 100\nbacklog = 77");
    server.signal("HUP");
    eventually("the larger image is taken", || {
        upload(&server, "more than ten bytes") == "204"
    });
    let told = "changed, but in force from the next start only: [DEFAULT] backlog\n";
    eventually("the log names the rest", || server.log().contains(told));
}

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    let server = Home::with("[server]\nbody_timeout = 0.2").start();
    let head =
        "POST /v2/images HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 20\r\n";
    assert_eq!(status(&ask(&mut server.connect(), head, "{")), "408");
    let created = ask(
        &mut server.connect(),
        "POST /v2/images HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 55\r\n",
        "{\"disk_format\": \"raw\",   \"container_format\": \"bare\"     }",
    );
    let location = created
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    let path = location
        .unwrap_or_else(|| panic!("{created}"))
        .split("/v2/")
        .nth(1)
        .unwrap();
    let head = format!(
        "PUT /v2/{path}/file HTTP/1.1\r\ncontent-type: application/octet-stream\r\n\
         content-length: 20\r\n"
    );
    let answer = ask(&mut server.connect(), &head, "some");
    assert_eq!(status(&answer), "408", "{answer}");
}
