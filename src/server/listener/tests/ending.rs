//! What clients see of a service that ends.

use super::*;

#[tokio::test]
async fn a_stop_finishes_what_runs_and_takes_nothing_new() {
    let server = start(patient()).await;
    let mut idle = server
        .client("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    answer(&mut idle).await;
    let mut running = server.client("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.waiting.notified().await;
    server.stop.cancel();
    server.closes().await;
    let request = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    idle.write_all(request).await.unwrap();
    let last = rest(&mut idle).await;
    assert!(last.ends_with("hello"), "it is still answered: {last}");
    assert!(last.contains("connection: close\r\n"), "{last}");
    server.go.notify_one();
    assert!(rest(&mut running).await.ends_with("waited"));
    timeout(LONG, server.ended).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let server = start(Limits {
        idle: LONG * 10,
        drain: LONG * 10,
        ..patient()
    })
    .await;
    let mut idle = server
        .client("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    answer(&mut idle).await;
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "", "an idle connection is closed");
    timeout(LONG, server.ended).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_notice_lets_newcomers_learn_of_the_end() {
    let server = start(Limits {
        notice: SHORT * 20,
        ..patient()
    })
    .await;
    server.stop.cancel();
    let begun = Instant::now();
    let mut late = server
        .client("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let last = rest(&mut late).await;
    assert!(last.contains("connection: close\r\n"), "{last}");
    assert!(last.ends_with("hello"), "{last}");
    timeout(LONG, server.ended).await.expect("it ends").unwrap();
    assert!(begun.elapsed() >= SHORT * 20);
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let server = start(Limits {
        drain: SHORT,
        ..patient()
    })
    .await;
    let _running = server.client("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.waiting.notified().await;
    server.stop.cancel();
    timeout(LONG, server.ended).await.expect("it ends").unwrap();
}
