//! SIGTERM.

use super::*;

const HEALTH: &str = "GET /healthcheck HTTP/1.1\r\n";

#[test]
fn a_load_balancer_sees_the_end_before_the_socket_closes() {
    let mut server = Home::with("[server]\ndrain_notice = 8").start();
    let mut kept = server.connect();
    assert_eq!(status(&ask(&mut kept, HEALTH, "")), "200");
    server.child.signal(Signal::TERM);
    until("newcomers are told", || {
        status(&server.ask(HEALTH)) == "503"
    });
    let told = ask(&mut kept, HEALTH, "");
    assert_eq!(status(&told), "503", "{told}");
    assert!(told.contains("connection: close\r\n"), "{told}");
    assert_eq!(server.wait(), 0);
}

#[test]
fn without_a_notice_an_open_connection_is_answered_while_something_runs() {
    let mut server = Home::with("").start();
    let mut kept = server.connect();
    assert_eq!(status(&ask(&mut kept, HEALTH, "")), "200");
    // A request that was asked for its body runs.
    let mut running = server.connect();
    let head = "POST /v2/images HTTP/1.1\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nexpect: 100-continue\r\n";
    assert_eq!(status(&ask(&mut running, head, "")), "100");
    running.write_all(b"{").unwrap();
    server.child.signal(Signal::TERM);
    until("nobody new comes in", || server.try_connect().is_none());
    assert_eq!(status(&ask(&mut kept, HEALTH, "")), "503");
    running.write_all(b"}").unwrap();
    assert_eq!(status(&read_answer(&mut running)), "201");
    assert_eq!(server.wait(), 0);
}

#[test]
fn a_stop_with_nothing_to_do_waits_for_nobody() {
    let limits = "[server]\nheader_timeout = 3600\nidle_timeout = 3600\ndrain_timeout = 3600";
    let mut server = Home::with(limits).start();
    let mut kept = server.connect();
    assert_eq!(status(&ask(&mut kept, HEALTH, "")), "200");
    let _silent = server.connect();
    server.child.signal(Signal::TERM);
    assert_eq!(server.wait(), 0);
}
