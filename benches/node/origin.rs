//! A web server with one blob behind every path, that sends so many bytes a second to all who ask together, and
//! counts them: what stands behind a caching proxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// What is sent at once, and so what the rate is kept in.
const PIECE: usize = 64 * 1024;

const SLACK: Duration = Duration::from_millis(50);

/// A running server. Its threads end with the program.
pub struct Origin {
    address: SocketAddr,
    blob: Arc<Blob>,
}

struct Blob {
    /// The bytes, again and again.
    noise: Vec<u8>,
    size: u64,
    rate: u64,
    /// When the next piece may leave.
    free: Mutex<Instant>,
    sent: AtomicU64,
}

impl Origin {
    /// Serves `size` bytes, `rate` of them a second.
    pub fn start(noise: Vec<u8>, size: u64, rate: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let blob = Arc::new(Blob {
            noise,
            size,
            rate,
            free: Mutex::new(Instant::now()),
            sent: AtomicU64::new(0),
        });
        let served = Arc::clone(&blob);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let blob = Arc::clone(&served);
                // A proxy that hangs up is its own business.
                thread::spawn(move || blob.answer(stream).ok());
            }
        });
        Ok(Self { address, blob })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of the blob that were sent so far.
    pub fn sent(&self) -> u64 {
        self.blob.sent.load(Ordering::Relaxed)
    }
}

impl Blob {
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let (first, last) = range(&head).unwrap_or((0, self.size));
        let (first, last) = (first.min(self.size), last.min(self.size - 1));
        let status = if head.contains("\r\nrange:") {
            format!(
                "206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}",
                self.size
            )
        } else {
            "200 OK".to_owned()
        };
        let length = last + 1 - first;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\nETag: \"blob\"\r\n\
             Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
        )?;
        if head.starts_with("head") {
            return Ok(());
        }
        let mut at = first;
        while at <= last {
            let from = usize::try_from(at % self.noise.len() as u64)?;
            let most = usize::try_from(last + 1 - at).unwrap_or(PIECE).min(PIECE);
            let piece = &self.noise[from..self.noise.len().min(from + most)];
            self.wait(piece.len() as u64);
            stream.write_all(piece)?;
            self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Until so many bytes may leave.
    fn wait(&self, bytes: u64) {
        let until = {
            let mut free = self.free.lock().expect("nobody panics here");
            // Who comes a little late comes in time, or timers that wake late would lower the rate.
            let start = (*free).max(Instant::now().checked_sub(SLACK).unwrap_or(*free));
            *free = start + Duration::from_nanos(bytes * 1_000_000_000 / self.rate);
            start
        };
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

/// The first byte and the last of a `Range` header.
fn range(head: &str) -> Option<(u64, u64)> {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))?;
    let (first, last) = line.trim().split_once('-')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(u64::MAX)))
}
