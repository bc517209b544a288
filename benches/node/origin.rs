//! A slow store: an HTTP origin that gives so many bytes a second and counts how often it is read.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{MIB, http};

/// A running origin. Its thread lives as long as the benchmark.
pub struct Origin {
    address: SocketAddr,
    reads: Arc<AtomicU64>,
}

impl Origin {
    /// Has `size` bytes to give, `rate` of them a second and reader.
    pub fn start(size: u64, rate: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let reads = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&reads);
        let piece: Arc<[u8]> = http::noise(MIB).into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counter, piece) = (Arc::clone(&counter), Arc::clone(&piece));
                // A reader that goes away is its own affair.
                thread::spawn(move || serve(stream, size, rate, &piece, &counter).ok());
            }
        });
        Ok(Self { address, reads })
    }

    pub fn url(&self) -> String {
        format!("http://{}/image", self.address)
    }

    /// How often data was asked for.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

/// Answers the requests of one connection: all of the data, whatever the path and range.
fn serve(stream: TcpStream, size: u64, rate: u64, piece: &[u8], reads: &AtomicU64) -> Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    while requests.read_line(&mut line)? > 0 {
        let head_only = line.starts_with("HEAD ");
        while line.trim() != "" {
            line.clear();
            requests.read_line(&mut line)?;
        }
        line.clear();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        if head_only {
            continue;
        }
        reads.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        let mut sent = 0;
        for part in http::parts(piece, size) {
            let due = Duration::from_millis(sent * 1000 / rate);
            thread::sleep(due.saturating_sub(start.elapsed()));
            stream.write_all(part)?;
            sent += part.len() as u64;
        }
    }
    Ok(())
}
