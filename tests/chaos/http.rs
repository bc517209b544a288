//! A client that trusts nobody: it takes an answer apart by hand, so that it knows what came.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A service that is alive answers sooner.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// The head of an answer, and the way to its body.
pub struct Opened {
    pub status: u16,
    pub length: usize,
    /// Which part of a whole it says it has.
    pub range: Option<String>,
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
    let (mut length, mut range) = (0, None);
    loop {
        let header = line(&mut stream)?.to_lowercase();
        if header.is_empty() {
            return Ok(Opened {
                status,
                length,
                range,
                stream,
            });
        }
        if let Some(text) = header.strip_prefix("content-length:") {
            length = text.trim().parse().map_err(io::Error::other)?;
        }
        if let Some(text) = header.strip_prefix("content-range:") {
            range = Some(text.trim().to_owned());
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
    /// What comes next of the body, so many bytes at most; an error where the connection ends before the body does.
    pub fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut part = vec![0; most.min(self.length).min(PIECE)];
        let count = self.stream.read(&mut part)?;
        if count == 0 && !part.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        part.truncate(count);
        self.length -= count;
        Ok(part)
    }

    fn rest(mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        while self.length > 0 {
            rest.extend(self.some(PIECE)?);
        }
        Ok(rest)
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
