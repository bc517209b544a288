//! As little of an HTTP client as a load needs: one request a connection, large buffers, no copies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::net::{RecvFlags, recv};

const BUFFER: usize = 256 * 1024;

/// The body of a request.
pub enum Body<'a> {
    None,
    /// None, but only a part of the answer is wanted.
    Part(Range<u64>),
    Json(&'a str),
    /// `size` bytes: a piece, again and again.
    Data(&'a [u8], u64),
}

/// Bytes that no file system or hash finds easy.
pub fn noise(size: u64) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::new();
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// `size` bytes: the piece again and again, the last time as much of it as is missing.
pub fn parts(piece: &[u8], size: u64) -> impl Iterator<Item = &[u8]> {
    let mut left = size;
    std::iter::from_fn(move || {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        left -= next as u64;
        (next > 0).then(|| &piece[..next])
    })
}

/// Downloads `path`, throws it away, and says how much it was.
pub fn download(address: SocketAddr, path: &str) -> Result<u64> {
    let mut answer = Answer::to(address, "GET", path, &Body::None)?;
    while answer.left() > 0 {
        let got = answer.stream.read(&mut answer.buffer)?;
        answer.count(got)?;
    }
    Ok(answer.length)
}

/// How an answer came.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// From the question to the first byte of the body, and to its last.
    pub first: Duration,
    pub whole: Duration,
    pub bytes: u64,
}

/// Downloads `path`, or a part of it, and says how it came. The bytes are counted where they arrive and never copied:
/// a crowd that shares its processors with the server must not be what is measured.
pub fn timed(address: SocketAddr, path: &str, range: Option<Range<u64>>) -> Result<Taken> {
    let body = range.map_or(Body::None, Body::Part);
    let start = Instant::now();
    let mut answer = Answer::to(address, "GET", path, &body)?;
    let mut first = (answer.seen > 0).then(|| start.elapsed());
    while answer.left() > 0 {
        let (_, got) = recv(&answer.stream, &mut answer.buffer[..], RecvFlags::TRUNC)?;
        first.get_or_insert_with(|| start.elapsed());
        answer.count(got)?;
    }
    Ok(Taken {
        first: first.unwrap_or_default(),
        whole: start.elapsed(),
        bytes: answer.length,
    })
}

/// Asks for `path` and reads nothing of it yet.
pub fn ask(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    send(&mut stream, address, "GET", path, &Body::None)?;
    Ok(stream)
}

/// Calls the API, and gives back what it answers.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &Body) -> Result<Vec<u8>> {
    let answer = Answer::to(address, method, path, body)?;
    let mut bytes = answer.buffer[answer.head..answer.filled].to_vec();
    let rest = answer.left();
    answer.stream.take(rest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An answer that begins to come.
struct Answer {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The bytes of the head, and those of it and the body that came along with it.
    head: usize,
    filled: usize,
    /// The bytes of the body, and those that have come.
    length: u64,
    seen: u64,
}

impl Answer {
    /// Sends a request, and reads on to the end of the answer's head. Anything but success is an error.
    fn to(address: SocketAddr, method: &str, path: &str, body: &Body) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        send(&mut stream, address, method, path, body)?;

        let mut buffer = vec![0; BUFFER];
        let mut filled = 0;
        let head = loop {
            let got = stream.read(&mut buffer[filled..])?;
            ensure!(got > 0, "{method} {path}: no answer");
            filled += got;
            let end = buffer[..filled]
                .windows(4)
                .position(|end| end == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let whole = String::from_utf8_lossy(&buffer[..filled]);
        ensure!(text.starts_with("http/1.1 2"), "{method} {path}: {whole}");
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(Ok(0), |length| length.trim().parse())?;
        Ok(Self {
            stream,
            buffer,
            head,
            filled,
            length,
            seen: (filled - head) as u64,
        })
    }

    fn left(&self) -> u64 {
        self.length - self.seen
    }

    fn count(&mut self, got: usize) -> Result<()> {
        ensure!(got > 0, "{} bytes are missing", self.left());
        self.seen += got as u64;
        Ok(())
    }
}

fn send(
    stream: &mut TcpStream,
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &Body,
) -> Result<()> {
    let (kind, size) = match body {
        Body::None | Body::Part(_) => ("text/plain", 0),
        Body::Json(json) => ("application/json", json.len() as u64),
        Body::Data(_, size) => ("application/octet-stream", *size),
    };
    let range = match body {
        Body::Part(part) => format!("Range: bytes={}-{}\r\n", part.start, part.end - 1),
        _ => String::new(),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{range}\
         Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    match body {
        Body::None | Body::Part(_) => {}
        Body::Json(json) => stream.write_all(json.as_bytes())?,
        Body::Data(piece, size) => {
            for part in parts(piece, *size) {
                stream.write_all(part).context("the upload broke off")?;
            }
        }
    }
    Ok(())
}
