//! The listener on real sockets, with clients that behave badly.

mod ending;
mod slow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{get, put};
use futures_util::StreamExt;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_mins(1);

fn patient() -> Limits {
    Limits {
        header: LONG,
        idle: LONG,
        body: LONG,
        notice: Duration::ZERO,
        drain: LONG,
        head_size: 16 << 10,
        connections: 16,
    }
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
    /// Lets `/wait` answer.
    go: Arc<Notify>,
    /// Says that `/wait` is waiting.
    waiting: Arc<Notify>,
    /// Bytes that `/endless` has given away.
    given: Arc<AtomicUsize>,
}

async fn start(limits: Limits) -> Server {
    let (go, waiting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let given = Arc::new(AtomicUsize::new(0));
    let wait = {
        let (go, waiting) = (Arc::clone(&go), Arc::clone(&waiting));
        move || async move {
            waiting.notify_one();
            go.notified().await;
            "waited"
        }
    };
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route(
            "/query",
            get(|uri: http::Uri| async move { uri.to_string() }),
        )
        .route("/wait", get(wait))
        .route("/refuse", put(|| async { StatusCode::FORBIDDEN }))
        .route("/take", put(take))
        .route("/endless", get(endless))
        .with_state(Arc::clone(&given));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, Plain, router, limits, stop.clone()));
    Server {
        address,
        stop,
        ended,
        go,
        waiting,
        given,
    }
}

/// Reads it all, and says how many bytes there were or why there were no more.
async fn take(request: Request) -> (StatusCode, String) {
    let mut bytes = request.into_body().into_data_stream();
    let mut seen = 0;
    while let Some(chunk) = bytes.next().await {
        match chunk {
            Ok(chunk) => seen += chunk.len(),
            Err(error) => return (StatusCode::REQUEST_TIMEOUT, error.to_string()),
        }
    }
    (StatusCode::OK, format!("took {seen}"))
}

async fn endless(State(given): State<Arc<AtomicUsize>>) -> Body {
    let chunk = axum::body::Bytes::from_static(&[7; 16 << 10]);
    let chunks = futures_util::stream::repeat(chunk).inspect(move |chunk| {
        given.fetch_add(chunk.len(), Ordering::Relaxed);
    });
    Body::from_stream(chunks.map(std::io::Result::Ok))
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Returns when nobody new is let in.
    async fn closes(&self) {
        let refused = async {
            while TcpStream::connect(self.address).await.is_ok() {
                tokio::time::sleep(SHORT / 50).await;
            }
        };
        timeout(LONG, refused).await.expect("the socket is closed");
    }

    async fn client(&self, request: &str) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        client
    }
}

/// Everything that comes until the server closes.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(LONG, client.read_to_end(&mut bytes))
        .await
        .expect("the server closes")
        .expect("without a reset");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer, with a body of known length, on a connection that stays open.
async fn answer(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                if body.len() >= length {
                    return text;
                }
            }
            if client.read_buf(&mut bytes).await.unwrap() == 0 {
                return text;
            }
        }
    };
    timeout(LONG, read).await.expect("an answer")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = start(patient()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        let request = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        assert!(answer(&mut client).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn quotes_in_a_target_are_escaped_for_those_who_do_not() {
    let server = start(patient()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        let request = b"GET /query?name=in:\"a,b\" HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let answer = answer(&mut client).await;
        assert!(answer.ends_with("/query?name=in:%22a,b%22"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut() {
    let server = start(Limits {
        header: SHORT,
        ..patient()
    })
    .await;
    let begun = Instant::now();
    let mut client = server.client("GET /hello HTTP/1.1\r\n").await;
    let drip = async {
        // A byte now and then does not buy more time.
        while client.write_all(b"x").await.is_ok() {
            let mut byte = [0];
            match timeout(SHORT / 10, client.read(&mut byte)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(_)) => panic!("no answer to half a question"),
                Err(_) => {}
            }
        }
    };
    timeout(LONG, drip).await.expect("the server closes");
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed() {
    let server = start(Limits {
        idle: SHORT,
        ..patient()
    })
    .await;
    let mut client = server
        .client("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(rest(&mut client).await.ends_with("hello"));
}

#[tokio::test]
async fn a_slow_handler_is_no_idle_connection() {
    let server = start(Limits {
        idle: SHORT,
        header: SHORT,
        body: SHORT,
        ..patient()
    })
    .await;
    let mut client = server.client("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.waiting.notified().await;
    let nothing = timeout(SHORT * 3, client.readable()).await;
    assert!(nothing.is_err(), "the connection must stay open");
    server.go.notify_one();
    assert!(answer(&mut client).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_answer() {
    let server = start(patient()).await;
    let mut client = server.client("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.shutdown().await.unwrap();
    server.waiting.notified().await;
    server.go.notify_one();
    assert!(rest(&mut client).await.ends_with("waited"));
}

#[tokio::test]
async fn an_upload_that_stalls_ends_with_an_error_for_its_handler() {
    let server = start(Limits {
        body: SHORT,
        ..patient()
    })
    .await;
    let head = "PUT /take HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsome";
    let mut client = server.client(head).await;
    let text = answer(&mut client).await;
    assert_eq!(status(&text), "408", "{text}");
    assert!(text.contains("no bytes of the request came"), "{text}");
}

#[tokio::test]
async fn an_upload_that_moves_is_not_cut() {
    let limit = SHORT * 16;
    let server = start(Limits {
        body: limit,
        idle: limit,
        header: limit,
        ..patient()
    })
    .await;
    let head = "PUT /take HTTP/1.1\r\nhost: x\r\ncontent-length: 18\r\n\r\n";
    let mut client = server.client(head).await;
    for _ in 0..18 {
        // Slower altogether than the limit, much faster byte by byte.
        tokio::time::sleep(SHORT).await;
        client.write_all(b"x").await.unwrap();
    }
    assert!(answer(&mut client).await.ends_with("took 18"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start(Limits {
        head_size: 9000,
        ..patient()
    })
    .await;
    let long = "x".repeat(8000);
    let fits = format!("GET /hello HTTP/1.1\r\nhost: x\r\na: {long}\r\nconnection: close\r\n\r\n");
    let mut client = server.client(&fits).await;
    assert_eq!(status(&rest(&mut client).await), "200");
    let large = format!("GET /hello HTTP/1.1\r\nhost: x\r\na: {long}\r\nb: {long}\r\n\r\n");
    let mut client = server.client(&large).await;
    client.write_all(&vec![b'z'; 500_000]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(status(&rest(&mut client).await), "431");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_a_place() {
    let server = start(Limits {
        connections: 1,
        ..patient()
    })
    .await;
    let request = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = server.client(request).await;
    answer(&mut first).await;
    let mut second = server.client(request).await;
    assert!(timeout(SHORT, second.readable()).await.is_err());
    drop(first);
    assert!(answer(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_sends_everything_before_it_listens_sees_the_refusal() {
    let server = start(patient()).await;
    let size = 20_000_000;
    let head = format!("PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n");
    let mut client = server.client(&head).await;
    let chunk = vec![0; 100_000];
    for _ in 0..size / chunk.len() {
        client.write_all(&chunk).await.unwrap();
    }
    assert_eq!(status(&answer(&mut client).await), "403");
    // It was read to its end, so the connection goes on.
    let request = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    assert!(answer(&mut client).await.ends_with("hello"));
}

#[tokio::test]
async fn a_refusal_comes_before_the_upload_has_ended() {
    let server = start(patient()).await;
    let head = "PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nonly this";
    let mut client = server.client(head).await;
    assert_eq!(status(&answer(&mut client).await), "403");
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_not_asked_for_a_refused_body() {
    let server = start(patient()).await;
    let head =
        "PUT /refuse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    let mut client = server.client(head).await;
    assert_eq!(status(&rest(&mut client).await), "403");

    let head = "PUT /take HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let mut client = server.client(head).await;
    assert_eq!(status(&answer(&mut client).await), "100");
    client.write_all(b"body").await.unwrap();
    assert!(answer(&mut client).await.ends_with("took 4"));
}
