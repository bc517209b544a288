//! One request on a connection of its own, as it is told to be: no client stands between that knows better.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

/// Long for a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    pub(super) headers: &'r [(String, String)],
    pub(super) body: Option<&'r [u8]>,
    /// Sends the body without its length.
    pub(super) chunked: bool,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// As it was before it was compressed.
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let same = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.clone())
            .reduce(|all, value| format!("{all}, {value}"))
    }

    /// The media type, without parameters.
    pub(super) fn kind(&self) -> String {
        let value = self.header("Content-Type").unwrap_or_default();
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_lowercase()
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

pub(super) fn exchange(address: SocketAddr, request: &Request) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&head(address, request))?;
    let sent = send(&mut stream, request);
    // A server that refuses need not read to the end; it may have said why.
    receive(BufReader::new(stream), request.method).or_else(|error| sent.and(Err(error)))
}

fn head(address: SocketAddr, request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, escaped(request.path));
    let named = |name: &str| {
        request
            .headers
            .iter()
            .any(|(found, _)| found.eq_ignore_ascii_case(name))
    };
    let mut add = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    // Clients name the host in any case; one that a step names comes after it.
    add("Host", &address.to_string());
    for (name, value) in request.headers {
        add(name, value);
    }
    add("Connection", "close");
    match request.body {
        Some(_) if request.chunked => add("Transfer-Encoding", "chunked"),
        Some(body) if !named("Content-Length") => add("Content-Length", &body.len().to_string()),
        _ => (),
    }
    head += "\r\n";
    head.into()
}

/// Paths are escaped already, but for what is no ASCII.
fn escaped(path: &str) -> String {
    let escape = |byte: u8| match byte {
        0..0x80 => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(escape).collect()
}

fn send(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    let body = request.body.unwrap_or_default();
    if !request.chunked {
        return stream.write_all(body);
    }
    for part in body.chunks(64 * 1024) {
        stream.write_all(format!("{:x}\r\n", part.len()).as_bytes())?;
        stream.write_all(part)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

fn receive(mut stream: BufReader<TcpStream>, method: &str) -> io::Result<Answer> {
    let status = line(&mut stream)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut answer = Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let header = line(&mut stream)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        answer
            .headers
            .push((name.to_owned(), value.trim().to_owned()));
    }
    if method != "HEAD" && ![204, 304].contains(&answer.status) {
        answer.body = body(stream, &answer)?;
    }
    if answer.header("Content-Encoding").as_deref() == Some("gzip") {
        let packed = std::mem::take(&mut answer.body);
        GzDecoder::new(&*packed).read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

fn body(mut stream: BufReader<TcpStream>, answer: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("Transfer-Encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&line(&mut stream)?, 16);
            let size = size.map_err(|_| io::ErrorKind::InvalidData)?;
            let begun = body.len();
            body.resize(begun + size, 0);
            stream.read_exact(&mut body[begun..])?;
            line(&mut stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("Content-Length") {
        Some(length) => {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        None => {
            stream.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}
