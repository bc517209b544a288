//! A client that trusts nobody: it takes an answer apart by hand, so that it knows what came.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A service that is alive answers sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// The head of an answer, and the way to its body.
pub struct Opened {
    pub status: u16,
    pub length: usize,
    stream: BufReader<TcpStream>,
}

/// Sends a request and reads the head of its answer.
pub fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<Opened> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut stream = BufReader::new(stream);
    let status = line(&mut stream)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut length = 0;
    loop {
        let header = line(&mut stream)?.to_lowercase();
        if header.is_empty() {
            return Ok(Opened {
                status,
                length,
                stream,
            });
        }
        if let Some(text) = header.strip_prefix("content-length:") {
            length = text.trim().parse().map_err(io::Error::other)?;
        }
    }
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
    /// Some of the body.
    pub fn some(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut part = vec![0; bytes.min(self.length)];
        self.stream.read_exact(&mut part)?;
        self.length -= part.len();
        Ok(part)
    }

    /// All that is left; an error where the connection ends before the body does.
    pub fn rest(mut self) -> io::Result<Vec<u8>> {
        self.some(self.length)
    }
}

/// Sends a request and reads its whole answer.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let opened = open(address, method, path, headers, body)?;
    Ok((opened.status, opened.rest()?))
}
