//! A memcached on loopback, as far as tokens need one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Kept = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// It keeps what it is given until it goes, or says nothing at all.
#[derive(Debug)]
pub(crate) struct FakeMemcached {
    kept: Kept,
    port: u16,
    serving: JoinHandle<()>,
}

impl FakeMemcached {
    pub(crate) async fn new() -> Self {
        Self::answering(true).await
    }

    /// Takes connections, and never answers on them.
    pub(crate) async fn silent() -> Self {
        Self::answering(false).await
    }

    async fn answering(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let kept = Kept::default();
        let shared = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                if answers {
                    tokio::spawn(converse(stream, Arc::clone(&shared)));
                } else {
                    silent.push(stream);
                }
            }
        });
        Self {
            kept,
            port,
            serving,
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it has, by name.
    pub(crate) fn kept(&self) -> HashMap<String, Vec<u8>> {
        self.kept.lock().expect("the map").clone()
    }

    /// Puts something else in the place of all it has.
    pub(crate) fn spoil(&self, with: &[u8]) {
        for value in self.kept.lock().expect("the map").values_mut() {
            *value = with.to_vec();
        }
    }
}

impl Drop for FakeMemcached {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn converse(stream: TcpStream, kept: Kept) {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["get", key] => match kept.lock().expect("the map").get(key) {
                Some(value) => [
                    format!("VALUE {key} 0 {}\r\n", value.len()).as_bytes(),
                    value.as_slice(),
                    b"\r\nEND\r\n",
                ]
                .concat(),
                None => b"END\r\n".to_vec(),
            },
            ["set", key, "0", _, length] => {
                let key = key.to_owned();
                let mut value = vec![0; length.parse::<usize>().expect("a length") + 2];
                stream.read_exact(&mut value).await.expect("a value");
                value.truncate(value.len() - 2);
                kept.lock().expect("the map").insert(key, value);
                b"STORED\r\n".to_vec()
            }
            _ => b"ERROR\r\n".to_vec(),
        };
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        line.clear();
    }
}
