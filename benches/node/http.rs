//! As little of an HTTP client as a load needs: one request a connection, large buffers, no copies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};

const BUFFER: usize = 1024 * 1024;

/// The body of a request.
pub enum Body<'a> {
    None,
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
    let mut size = 0;
    exchange(address, "GET", path, &Body::None, |bytes| {
        size += bytes.len() as u64;
    })?;
    Ok(size)
}

/// Calls the API, and gives back what it answers.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &Body) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    exchange(address, method, path, body, |bytes| {
        answer.extend_from_slice(bytes);
    })?;
    Ok(answer)
}

fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &Body,
    mut take: impl FnMut(&[u8]),
) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    send(&mut stream, address, method, path, body)?;

    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    let head = loop {
        let got = stream.read(&mut buffer[filled..])?;
        if got == 0 {
            bail!("{method} {path}: no answer");
        }
        filled += got;
        if let Some(end) = buffer[..filled]
            .windows(4)
            .position(|end| end == b"\r\n\r\n")
        {
            break end + 4;
        }
    };
    let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
    if !text.starts_with("http/1.1 2") {
        bail!(
            "{method} {path}: {}",
            String::from_utf8_lossy(&buffer[..filled])
        );
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: u64 = length.map_or(Ok(0), |length| length.trim().parse())?;

    take(&buffer[head..filled]);
    let mut left = length - (filled - head) as u64;
    while left > 0 {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            bail!("{method} {path}: {left} bytes are missing");
        }
        take(&buffer[..got]);
        left -= got as u64;
    }
    Ok(())
}

fn send(
    stream: &mut TcpStream,
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &Body,
) -> Result<()> {
    let (kind, size) = match body {
        Body::None => ("text/plain", 0),
        Body::Json(json) => ("application/json", json.len() as u64),
        Body::Data(_, size) => ("application/octet-stream", *size),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    match body {
        Body::None => {}
        Body::Json(json) => stream.write_all(json.as_bytes())?,
        Body::Data(piece, size) => {
            for part in parts(piece, *size) {
                stream.write_all(part).context("the upload broke off")?;
            }
        }
    }
    Ok(())
}
