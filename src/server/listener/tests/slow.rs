//! Clients that do not take what they asked for.

use socket2::SockRef;

use super::*;

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = start(Limits {
        body: SHORT,
        drain: LONG * 10,
        ..patient()
    })
    .await;
    let mut client = server
        .client("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    client.read_exact(&mut [0; 12]).await.unwrap();
    // No more is read: the kernel's buffers fill, and nothing moves any more.
    server.stop.cancel();
    timeout(LONG, server.ended)
        .await
        .expect("it is cut")
        .unwrap();
    drop(client);
}

#[tokio::test]
async fn of_what_a_client_does_not_take_the_kernel_holds_little() {
    let server = start(patient()).await;
    let request = "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut client = server.client(request).await;
    // What the client's own kernel holds is no part of it, and would grow as it likes.
    let own = SockRef::from(&client);
    own.set_recv_buffer_size(128 << 10).unwrap();
    // Who has taken much gets large buffers.
    let mut taken = vec![0; 64 << 20];
    client.read_exact(&mut taken).await.unwrap();
    let mut held = 0;
    loop {
        tokio::time::sleep(SHORT).await;
        let now = server.given.load(Ordering::Relaxed) - taken.len();
        if now == held {
            break;
        }
        held = now;
    }
    assert!(held < 2 << 20, "{held}");
}
