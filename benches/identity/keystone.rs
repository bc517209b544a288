//! A Keystone on loopback that knows one token, and counts how often it is asked about it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

/// Whoever has it is a member of a project.
pub const TOKEN: &str = "member";

const SERVICE: &str = r#"{"token": {"issued_at": "2026-01-01T00:00:00.000000Z",
    "expires_at": "2999-01-01T00:00:00.000000Z", "user": {"id": "glance", "domain": {"id": "default"}}}}"#;
const MEMBER: &str = r#"{"token": {"issued_at": "2019-01-01T00:00:00.000000Z",
    "expires_at": "2999-01-01T00:00:00.000000Z",
    "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
    "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
    "roles": [{"id": "m", "name": "member"}, {"id": "r", "name": "reader"}]}}"#;

/// It ends with the process.
pub struct Keystone {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Keystone {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                // Who hangs up has heard enough.
                thread::spawn(move || drop(serve(stream, &count)));
            }
        });
        Ok(Self { address, asked })
    }

    /// How often it was asked about a token.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, asked: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut method = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            let said = line.to_ascii_lowercase();
            if let Some(value) = said.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if method.is_empty() {
                method = line;
            }
        }
        stream.read_exact(&mut vec![0; length])?;
        let (head, body) = if method.starts_with("POST") {
            ("201 Created\r\nX-Subject-Token: service", SERVICE)
        } else {
            asked.fetch_add(1, Ordering::SeqCst);
            ("200 OK", MEMBER)
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}
