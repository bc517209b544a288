//! A web server on loopback that has what is fetched from one, well and badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::child::unused_port;

/// `/bytes/N`: so many bytes. `/plain/N`: the same without parts. `/unsized/N`: without saying how many.
/// `/slow/N`: takes its time, and notes `left /slow/N` when nobody listens any more.
/// `/short/N`: ends halfway. `/flaky/N`: does so the first time. `/stall/N`: falls silent halfway.
/// `/away/N`: ends halfway, and is away for the next six requests. `/rests/N`: falls silent halfway the first time.
/// `/rotten/N`: with a wrong byte. `/rots/N`: the same, and falls silent halfway the first time.
/// `/held/N`: tells nothing of it before [`Origin::let_go`]. `/silent`: says nothing at all. `/status/CODE`. `/to/CODE?URL`: redirects.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
    log: Arc<Log>,
    serving: JoinHandle<()>,
}

/// What was asked of it.
#[derive(Debug, Default)]
struct Log {
    requests: Mutex<Vec<String>>,
    ranges: Mutex<Vec<String>>,
    credentials: Mutex<Vec<String>>,
    let_go: CancellationToken,
}

impl Origin {
    pub(crate) async fn new() -> Self {
        // Nobody gets it when this one has left.
        let listener = TcpListener::bind(("127.0.0.1", unused_port())).await;
        let listener = listener.expect("a port of ours");
        let address = listener.local_addr().expect("an address");
        let log = Arc::<Log>::default();
        let noted = Arc::clone(&log);
        let serving = tokio::spawn(async move {
            // They end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&noted);
                connections.spawn(async move {
                    // Who hangs up has seen enough.
                    let _ = serve(stream, &log).await;
                });
            }
        });
        Self {
            address,
            log,
            serving,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked so far: `GET /bytes/5`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.log.requests.lock().expect("the log").clone()
    }

    /// The parts that were asked for so far: `GET /bytes/5 bytes=2-4`.
    pub(crate) fn ranges(&self) -> Vec<String> {
        self.log.ranges.lock().expect("the log").clone()
    }

    /// What was asked with credentials so far.
    pub(crate) fn asked_with_credentials(&self) -> Vec<String> {
        self.log.credentials.lock().expect("the log").clone()
    }

    /// From now on nothing is held back.
    pub(crate) fn let_go(&self) {
        self.log.let_go.cancel();
    }

    /// Goes away, with every connection.
    pub(crate) async fn close(mut self) {
        self.serving.abort();
        // It was told to end; that it did is what counts.
        let _ = (&mut self.serving).await;
    }

    /// The bytes that it has.
    pub(crate) fn bytes(count: usize) -> Vec<u8> {
        // By the piece: byte by byte a program of tests takes seconds for it on a busy machine.
        let piece: Vec<u8> = (0..=250).collect();
        let mut bytes = piece.repeat(count / piece.len() + 1);
        bytes.truncate(count);
        bytes
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, log: &Log) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let first = lines.first().cloned().unwrap_or_default();
        let (asked, _) = first.rsplit_once(' ').unwrap_or_default();
        let before = {
            let mut requests = log.requests.lock().expect("the log");
            requests.push(asked.to_owned());
            requests.iter().filter(|one| *one == asked).count() - 1
        };
        let range = lines.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let range = name.eq_ignore_ascii_case("range").then(|| value.trim())?;
            (log.ranges.lock().expect("the log")).push(format!("{asked} {range}"));
            let (start, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((start.parse().ok()?, last.parse().ok()?))
        });
        let authorization = |line: &String| line.to_ascii_lowercase().starts_with("authorization:");
        if lines.iter().any(authorization) {
            (log.credentials.lock().expect("the log")).push(asked.to_owned());
        }
        let (method, target) = asked.split_once(' ').unwrap_or_default();
        if target.starts_with("/slow/") && method == "GET" {
            let _ = dribble(&mut stream, target).await;
            let left = format!("left {target}");
            log.requests.lock().expect("the log").push(left);
            return Ok(());
        }
        if target.starts_with("/held/") {
            log.let_go.cancelled().await;
        }
        if !answer(&mut stream, method, target, range, before).await? {
            return Ok(());
        }
    }
}

/// A little of the data at a time.
async fn dribble(stream: &mut BufReader<TcpStream>, target: &str) -> std::io::Result<()> {
    let count = target.rsplit('/').next().unwrap_or_default();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..count.parse().unwrap_or(0) {
        stream.write_all(b"x").await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Says whether the connection goes on.
async fn answer(
    stream: &mut BufReader<TcpStream>,
    method: &str,
    target: &str,
    range: Option<(usize, usize)>,
    before: usize,
) -> std::io::Result<bool> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // A proxy is asked for the whole address.
    let path = path.strip_prefix("http://far.example").unwrap_or(path);
    let mut parts = path.split('/').skip(1);
    let (kind, number) = (parts.next().unwrap_or_default(), parts.next());
    let number: usize = number.and_then(|number| number.parse().ok()).unwrap_or(0);
    let is_away = match kind {
        "lies" | "away" => (1..=6).contains(&before),
        _ => false,
    };
    if is_away && method == "GET" {
        let head = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(head).await?;
        stream.flush().await?;
        return Ok(true);
    }
    let mut bytes = Origin::bytes(number);
    if kind == "lies" && before == 0 {
        bytes[number / 2 - 200_000] ^= 1;
    }
    if matches!(kind, "rotten" | "rots") {
        bytes[number / 4 * 3] ^= 1;
    }
    let (head, body, then) = match kind {
        "bytes" if range.is_some() => {
            let (start, last) = range.unwrap_or_default();
            let part = bytes[start..=last].to_vec();
            let head = format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{last}/{number}\r\n\
                 Content-Length: {}\r\n",
                part.len()
            );
            (head, part, true)
        }
        "bytes" | "plain" | "slow" | "rotten" | "held" => (
            format!("200 OK\r\nContent-Length: {number}\r\n"),
            bytes,
            true,
        ),
        "unsized" => ("200 OK\r\nConnection: close\r\n".to_owned(), bytes, false),
        "short" | "flaky" | "stall" | "away" | "lies" | "rests" | "rots" => {
            let once = matches!(kind, "flaky" | "away" | "lies" | "rests" | "rots");
            let whole = method == "HEAD" || (once && before > 0);
            let half = if whole { number } else { number / 2 };
            let head = format!("200 OK\r\nContent-Length: {number}\r\n");
            (head, bytes[..half].to_vec(), whole)
        }
        "status" => (
            format!("{number} So\r\nContent-Length: 0\r\n"),
            Vec::new(),
            true,
        ),
        "to" => {
            let head = format!("{number} There\r\nLocation: {query}\r\nContent-Length: 0\r\n");
            (head, Vec::new(), true)
        }
        _ => {
            std::future::pending::<()>().await;
            return Ok(false);
        }
    };
    let head = format!("HTTP/1.1 {head}\r\n");
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(&body).await?;
    }
    stream.flush().await?;
    let is_silent = kind == "stall" || (matches!(kind, "rests" | "rots") && before == 0);
    if is_silent && method != "HEAD" {
        std::future::pending::<()>().await;
    }
    Ok(then)
}
