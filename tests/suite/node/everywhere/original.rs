//! A node of the original's, as far as its API looks after its cache: what it has is what is asked for at once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

/// It answers as long as the tests run.
pub(super) struct Original {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cached: Vec<String>,
    queued: Vec<String>,
    changes: Vec<String>,
    tokens: Vec<String>,
}

impl Original {
    /// With these images in its cache and in its queue.
    pub(super) fn with(cached: &[&str], queued: &[&str]) -> Self {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let state = Arc::new(Mutex::new(State {
            cached: owned(cached),
            queued: owned(queued),
            changes: Vec::new(),
            tokens: Vec::new(),
        }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answering = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Who hangs up has seen enough.
                let _ = stream.and_then(|stream| answer(stream, &answering));
            }
        });
        Self { address, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The tokens of all calls.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().tokens.clone()
    }

    /// The calls that changed something since one last asked.
    pub(super) fn changes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().changes)
    }
}

/// The value of a header.
fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|header| {
        let (name, value) = header.split_once(": ")?;
        name.eq_ignore_ascii_case(wanted).then_some(value)
    })
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let (status, body) = state.lock().unwrap().does(&head);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

impl State {
    fn does(&mut self, head: &str) -> (&'static str, String) {
        let line = head.lines().next().unwrap_or_default();
        let (call, _) = line.rsplit_once(' ').unwrap_or_default();
        let target = header(head, "x-image-cache-clear-target");
        let token = header(head, "x-auth-token").map(str::to_owned);
        self.tokens.extend(token);
        let nothing = |status| (status, String::new());
        if call == "GET /v2/cache" {
            let row = |id: &String| json!({ "image_id": id, "size": 1, "hits": 0, "last_accessed": 0.0, "last_modified": 1.5 });
            let cached: Vec<_> = self.cached.iter().map(row).collect();
            let state = json!({ "cached_images": cached, "queued_images": self.queued });
            return ("200 OK", state.to_string());
        }
        let noted = match target {
            Some(target) => format!("{call} {target}"),
            None => call.to_owned(),
        };
        if call == "DELETE /v2/cache" {
            self.changes.push(noted);
            match target {
                Some("cache") => self.cached.clear(),
                Some("queue") => self.queued.clear(),
                _ => return nothing("400 Bad Request"),
            }
            return nothing("204 No Content");
        }
        if let Some(id) = call
            .strip_prefix("PUT /v2/cache/")
            .filter(|id| !id.contains('/'))
        {
            if id.ends_with("404") {
                let message = format!("Image {id} not found.");
                return ("404 Not Found", json!({ "message": message }).to_string());
            }
            self.queued.push(id.to_owned());
            self.changes.push(noted);
            return nothing("202 Accepted");
        }
        if let Some(id) = call
            .strip_prefix("DELETE /v2/cache/")
            .filter(|id| !id.contains('/'))
        {
            self.cached.retain(|cached| cached != id);
            self.queued.retain(|queued| queued != id);
            self.changes.push(noted);
            return nothing("204 No Content");
        }
        if call.starts_with("GET /v2/cache/") {
            return nothing("405 Method Not Allowed");
        }
        nothing("404 Not Found")
    }
}
