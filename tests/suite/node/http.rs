//! A client that sees what a connection sees: half of a body, and one that breaks off.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Nothing here takes so long, even on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer whose body has not been read yet. Dropped, the client is gone.
pub(super) struct Opened {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    length: usize,
    stream: BufReader<TcpStream>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// By their names in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.status / 100, 2, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request and reads the head of its answer.
pub(super) fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<Opened> {
    let headers = match kind {
        "" => String::new(),
        kind => format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()),
    };
    exchange(address, method, path, &headers, body)
}

/// An upload whose data comes bit by bit. Dropped, the client is gone.
pub(super) struct Upload(TcpStream);

impl Upload {
    /// Announces so many bytes.
    pub(super) fn begin(address: SocketAddr, path: &str, size: usize) -> io::Result<Self> {
        let headers =
            format!("Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n");
        begin(address, "PUT", path, &headers).map(Self)
    }

    pub(super) fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.write_all(data)
    }

    /// The answer, once all has been sent.
    pub(super) fn answer(self) -> io::Result<Answer> {
        answer(self.0)?.whole()
    }
}

/// Uploads data without saying how much it will be, and reads the whole answer.
pub(super) fn put_in_chunks(address: SocketAddr, path: &str, data: &[u8]) -> io::Result<Answer> {
    let headers = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n";
    let mut body = Vec::with_capacity(data.len() + data.len() / 1000);
    for chunk in data.chunks(64 * 1024) {
        write!(body, "{:x}\r\n", chunk.len())?;
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    exchange(address, "PUT", path, headers, &body)?.whole()
}

pub(super) fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<Opened> {
    let mut stream = begin(address, method, path, headers)?;
    let sent = stream.write_all(body);
    // A server that refuses need not read to the end; it may have said why.
    answer(stream).or_else(|error| sent.and(Err(error)))
}

/// Sends the head of a request.
fn begin(address: SocketAddr, method: &str, path: &str, headers: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    Ok(stream)
}

/// Reads the head of an answer.
fn answer(stream: TcpStream) -> io::Result<Opened> {
    let mut stream = BufReader::new(stream);
    let status = line(&mut stream)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut headers = BTreeMap::new();
    loop {
        let header = line(&mut stream)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    assert!(!headers.contains_key("transfer-encoding"), "{headers:?}");
    let length = headers.get("content-length");
    Ok(Opened {
        status,
        length: length.map_or(0, |length| length.parse().unwrap()),
        headers,
        stream,
    })
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if line.ends_with('\n') {
        Ok(line.trim_end().to_owned())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Opened {
    /// The next bytes of the body, so many of them.
    pub(super) fn read(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut part = vec![0; bytes];
        self.stream.read_exact(&mut part)?;
        self.length -= bytes;
        Ok(part)
    }

    /// What is left of the body; an error where the connection ends before the body does.
    pub(super) fn rest(mut self) -> io::Result<Vec<u8>> {
        self.read(self.length)
    }

    fn whole(mut self) -> io::Result<Answer> {
        Ok(Answer {
            status: self.status,
            headers: std::mem::take(&mut self.headers),
            body: self.rest()?,
        })
    }
}

/// Asks with further headers.
pub(super) fn get(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, String)],
) -> io::Result<Answer> {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: Vec<String> = lines.collect();
    exchange(address, "GET", path, &lines.concat(), b"")?.whole()
}

/// Asks for a part.
pub(super) fn range(address: SocketAddr, path: &str, range: &str) -> io::Result<Answer> {
    exchange(address, "GET", path, &format!("Range: {range}\r\n"), b"")?.whole()
}

/// Sends a request and reads its whole answer.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<Answer> {
    open(address, method, path, kind, body)?.whole()
}
