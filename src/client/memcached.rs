//! memcached, asked in its text protocol: what is kept under a key, or nothing.
//!
//! It only ever saves time, so that a server that is away or slow costs none: an answer has a fraction of a
//! second, and who failed is left alone for a while, longer each time. What lies where is as in
//! python-memcached, which other services ask with.

use std::fmt;
use std::io::{self, ErrorKind, Read as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flate2::read::ZlibDecoder;
use tokio::io::BufStream;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::config::{MemcachedConfig, MemcachedServer};

/// Asking for what is kept elsewhere takes no longer than asking Keystone might.
const PATIENCE: Duration = Duration::from_millis(250);
/// A server that failed is left alone for so long at first.
const REST: Duration = Duration::from_secs(1);
/// Servers keep no more than a mebibyte, unless they are told to.
const MOST: usize = 1 << 20;
/// No answer has longer lines.
const LINE: u64 = 1024;
/// More is a point in time to memcached.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// What python-memcached says of a value: it is compressed, or it was a text.
const COMPRESSED: u32 = 1 << 3;
const TEXT: u32 = 1 << 4;

/// Servers that keep values for a while, and may be away at any time.
#[derive(Debug)]
pub struct Memcached {
    servers: Vec<Server>,
}

struct Server {
    place: MemcachedServer,
    patience: Duration,
    longest_rest: Duration,
    unused: Duration,
    idle: Mutex<Vec<(Instant, Connection)>>,
    open: Semaphore,
    rest: Mutex<Rest>,
}

/// How long a server that failed is left alone; zero is one that is well.
#[derive(Debug, Default)]
struct Rest {
    pause: Duration,
    until: Option<Instant>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = BufStream<Box<dyn Stream>>;

/// What a server says to `get` and `set`.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Value {
        flags: u32,
        bytes: Vec<u8>,
    },
    /// There is nothing, or nothing more to say.
    Done,
    /// It will not do it; what else it says on this connection is anybody's guess.
    Refused,
}

impl Memcached {
    /// Nothing is asked before the first key.
    pub fn new(config: &MemcachedConfig) -> Self {
        let servers = config.servers.iter().map(|place| Server {
            place: place.clone(),
            patience: PATIENCE.min(config.socket_timeout),
            longest_rest: config.dead_retry.max(REST),
            unused: config.unused_timeout,
            idle: Mutex::default(),
            open: Semaphore::new(match config.pool_size {
                0 => Semaphore::MAX_PERMITS,
                some => some.min(Semaphore::MAX_PERMITS),
            }),
            rest: Mutex::default(),
        });
        Self {
            servers: servers.collect(),
        }
    }

    /// What is kept under the key; none where there is nothing, or nobody who says so in time.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let request = format!("get {key}\r\n");
        match self.ask(key, request.as_bytes()).await? {
            Answer::Value { flags, bytes } if flags & !(COMPRESSED | TEXT) == 0 => {
                if flags & COMPRESSED == 0 {
                    Some(bytes)
                } else {
                    decompressed(&bytes)
                }
            }
            Answer::Value { .. } | Answer::Done | Answer::Refused => None,
        }
    }

    /// Keeps a value under the key for so long, where somebody takes it.
    pub async fn set(&self, key: &str, value: &[u8], life: Duration) {
        if value.len() >= MOST {
            return;
        }
        let seconds = life.min(LONGEST).as_secs();
        let mut request = format!("set {key} 0 {seconds} {}\r\n", value.len()).into_bytes();
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
        self.ask(key, &request).await;
    }

    async fn ask(&self, key: &str, request: &[u8]) -> Option<Answer> {
        let server = self.server_of(key, Instant::now())?;
        // Too many at once are no fault of the server.
        let turn = timeout(server.patience, server.open.acquire()).await;
        let _turn = turn.ok()?.ok()?;
        let failure = match timeout(server.patience, server.converse(request)).await {
            Ok(Ok(answer)) => {
                server.is_well();
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        server.failed(&failure, Instant::now());
        None
    }

    /// Where the key lies; others take the place of one that rests.
    fn server_of(&self, key: &str, now: Instant) -> Option<&Server> {
        let mut hash = hash(key.as_bytes());
        for turn in 0..10 {
            let server = self.servers.get(hash as usize % self.servers.len())?;
            if server.may_be_asked(now) {
                return Some(server);
            }
            hash = self::hash(format!("{hash}{turn}").as_bytes());
        }
        None
    }
}

/// As libmemcache and python-memcached have it.
fn hash(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    (crc.sum() >> 16) & 0x7fff
}

fn decompressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let most = MOST as u64 * 8;
    let read = ZlibDecoder::new(bytes).take(most).read_to_end(&mut plain);
    (read.ok()? < MOST * 8).then_some(plain)
}

impl Server {
    async fn converse(&self, request: &[u8]) -> io::Result<Answer> {
        if let Some(mut used) = self.idle() {
            // It may have been closed since it was used last.
            if let Ok(answer) = exchange(&mut used, request).await {
                self.keep(used, &answer);
                return Ok(answer);
            }
        }
        let mut new = self.connect().await?;
        let answer = exchange(&mut new, request).await?;
        self.keep(new, &answer);
        Ok(answer)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match &self.place {
            MemcachedServer::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            MemcachedServer::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        Ok(BufStream::new(stream))
    }

    fn idle(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        idle.retain(|(since, _)| since.elapsed() < self.unused);
        idle.pop().map(|(_, connection)| connection)
    }

    fn keep(&self, connection: Connection, answer: &Answer) {
        if *answer != Answer::Refused {
            lock(&self.idle).push((Instant::now(), connection));
        }
    }

    /// Whether it does not rest. After a rest one asks first, and the others wait for what comes of it.
    fn may_be_asked(&self, now: Instant) -> bool {
        let mut rest = lock(&self.rest);
        match rest.until {
            None => true,
            Some(until) if until > now => false,
            Some(_) => {
                rest.until = Some(now + rest.pause);
                true
            }
        }
    }

    fn is_well(&self) {
        let mut rest = lock(&self.rest);
        if rest.until.is_some() {
            *rest = Rest::default();
            tracing::info!("memcached at {} answers again", self.place);
        }
    }

    fn failed(&self, why: &str, now: Instant) {
        lock(&self.idle).clear();
        let mut rest = lock(&self.rest);
        if rest.until.is_none() {
            tracing::warn!(
                "memcached at {} is not asked for a while: {why}",
                self.place
            );
        }
        rest.pause = (rest.pause * 2).clamp(REST, self.longest_rest);
        rest.until = Some(now + rest.pause);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("place", &self.place)
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn exchange(connection: &mut Connection, request: &[u8]) -> io::Result<Answer> {
    connection.write_all(request).await?;
    connection.flush().await?;
    let line = line(connection).await?;
    let mut words = line.split(' ');
    match words.next() {
        Some("END" | "STORED" | "NOT_STORED") => return Ok(Answer::Done),
        Some("SERVER_ERROR" | "CLIENT_ERROR") => return Ok(Answer::Refused),
        Some("VALUE") => {}
        _ => return Err(nonsense()),
    }
    let mut number = || words.nth(1)?.parse().ok();
    let flags = number().ok_or_else(nonsense)?;
    let length: Option<usize> = words.next().and_then(|length| length.parse().ok());
    let length = length
        .filter(|length| *length <= MOST)
        .ok_or_else(nonsense)?;
    let mut bytes = vec![0; length + 2];
    connection.read_exact(&mut bytes).await?;
    if !bytes.ends_with(b"\r\n") || self::line(connection).await? != "END" {
        return Err(nonsense());
    }
    bytes.truncate(length);
    Ok(Answer::Value { flags, bytes })
}

async fn line(connection: &mut Connection) -> io::Result<String> {
    let mut line = String::new();
    connection.take(LINE).read_line(&mut line).await?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None if line.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
        None => Err(nonsense()),
    }
}

fn nonsense() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        "it does not answer as memcached does",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: u16) -> Memcached {
        Memcached::new(&MemcachedConfig {
            servers: (1..=count)
                .map(|port| MemcachedServer::Tcp {
                    host: "127.0.0.1".to_owned(),
                    port,
                })
                .collect(),
            protection: crate::config::Protection::None,
            socket_timeout: Duration::from_secs(3),
            dead_retry: Duration::from_mins(5),
            pool_size: 10,
            unused_timeout: Duration::from_mins(1),
        })
    }

    #[test]
    fn a_key_lies_where_python_memcached_looks_for_it() {
        // Its numbers for the key, then for those that follow where a server is dead.
        let (memcached, now) = (servers(7), Instant::now());
        for number in [30021, 9549, 20958, 10650] {
            let server = memcached.server_of("tokens/abc", now).unwrap();
            let place = &memcached.servers[number % 7].place;
            assert_eq!(server.place, *place);
            server.failed("it is gone", now);
        }
        assert_eq!(hash(b"tokens/b'x'"), 14530);
    }

    #[test]
    fn a_server_that_failed_rests_for_longer_each_time() {
        let (memcached, mut now) = (servers(1), Instant::now());
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            memcached
                .server_of("k", now)
                .unwrap()
                .failed("it is gone", now);
            now += Duration::from_secs(pause);
            let before = now.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(memcached.server_of("k", before).is_none(), "{pause}");
        }
        // One asks, and the others wait for what comes of it.
        let server = memcached.server_of("k", now).unwrap();
        assert!(memcached.server_of("k", now).is_none());
        server.is_well();
        assert!(memcached.server_of("k", now).is_some());
    }

    #[tokio::test]
    async fn nonsense_is_no_value() {
        for said in [
            "",
            "VALUE k 0 2\r\nabEND\r\n",
            "VALUE k 0 9999999999\r\n",
            "HTTP/1.1 400\r\n",
        ] {
            let stream: Box<dyn Stream> = Box::new(saying(said));
            let mut connection = BufStream::new(stream);
            assert!(
                exchange(&mut connection, b"get k\r\n").await.is_err(),
                "{said}"
            );
        }
        let said = "VALUE k 16 2\r\nab\r\nEND\r\n";
        let stream: Box<dyn Stream> = Box::new(saying(said));
        let answer = exchange(&mut BufStream::new(stream), b"get k\r\n").await;
        let bytes = b"ab".to_vec();
        assert_eq!(answer.unwrap(), Answer::Value { flags: TEXT, bytes });
    }

    /// A server that says this, whatever is asked.
    fn saying(said: &str) -> impl AsyncRead + AsyncWrite + use<> {
        let said = io::Cursor::new(said.as_bytes().to_vec());
        tokio::io::join(said, tokio::io::sink())
    }

    #[test]
    fn what_python_compressed_can_be_read() {
        let packed = b"x\x9cKLJNIMK\xcf\xc8\x04\x00\x11\x8e\x03\x8e";
        assert_eq!(decompressed(packed).unwrap(), b"abcdefghi");
        assert_eq!(decompressed(b"nonsense"), None);
    }
}
