//! A web server on loopback, for locations that are read over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;

use super::bodies::noise;

/// Where it listens, from its first use to the end of the process.
///
/// `/bytes/SEED/SIZE` is noise, whatever follows; `/status/CODE` is that status.
pub(super) fn address() -> SocketAddr {
    static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that leaves early has what it wanted.
                thread::spawn(move || drop(serve(client)));
            }
        });
        address
    });
    *ADDRESS
}

fn serve(client: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let (status, data) = resource(path);
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        data.len()
    );
    let mut client = client;
    client.write_all(head.as_bytes())?;
    if method == Some("GET") {
        client.write_all(&data)?;
    }
    Ok(())
}

fn resource(path: &str) -> (u16, Vec<u8>) {
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let found = match &*parts {
        ["bytes", seed, size, ..] => seed
            .parse()
            .and_then(|seed| Ok((200, noise(seed, size.parse()?))))
            .ok(),
        ["status", code] => code.parse().ok().map(|code| (code, Vec::new())),
        _ => None,
    };
    found.unwrap_or_else(|| (404, Vec::new()))
}
