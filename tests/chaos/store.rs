//! A web server that has images, and misbehaves when it is told to.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::chance::Chance;
use crate::flips::{Flips, Place};

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;

/// An image that is here. Of a liar's some bytes may be flipped on their way: nobody can prove a part of an image,
/// so no parts of these are asked for.
#[derive(Debug)]
pub struct Kept {
    pub data: Vec<u8>,
    pub liar: bool,
    /// What was turned around of it, anywhere.
    pub flips: Flips,
}

#[derive(Debug)]
pub struct Store {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    images: Vec<Arc<Kept>>,
    moody: AtomicBool,
    chance: Mutex<Chance>,
}

/// What comes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whim {
    Honest,
    Slow,
    /// Fewer bytes than it said.
    Short,
    /// More bytes than the image has, and it says so.
    Long,
    /// Falls silent for a while, and leaves.
    Stall,
    Refuse,
    Reset,
    /// A wrong byte, and now and then fewer than it said.
    Flip,
}

const WHIMS: [Whim; 12] = [
    Whim::Honest,
    Whim::Honest,
    Whim::Honest,
    Whim::Slow,
    Whim::Slow,
    Whim::Short,
    Whim::Long,
    Whim::Stall,
    Whim::Refuse,
    Whim::Reset,
    Whim::Flip,
    Whim::Flip,
];

impl Store {
    pub fn open(images: Vec<Arc<Kept>>, chance: Chance) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            images,
            moody: AtomicBool::new(false),
            chance: Mutex::new(chance),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // Who hangs up has seen enough.
                thread::spawn(move || drop(shared.answer(stream)));
            }
        });
        Ok(Self { address, shared })
    }

    /// Whether it may misbehave from now on.
    pub fn set_moody(&self, moody: bool) {
        self.shared.moody.store(moody, Ordering::Relaxed);
    }
}

impl Shared {
    fn whim(&self, liar: bool) -> (Whim, Chance) {
        let mut chance = self.chance.lock().expect("no thread died");
        let whim = match chance.pick(&WHIMS) {
            _ if !self.moody.load(Ordering::Relaxed) => Whim::Honest,
            Some(Whim::Flip) if !liar => Whim::Slow,
            Some(whim) => *whim,
            None => Whim::Honest,
        };
        (whim, chance.branch())
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        let mut stream = BufReader::new(stream);
        let (mut first, mut range) = (String::new(), None);
        stream.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            let line = line.to_lowercase();
            let asked = line.strip_prefix("range: bytes=");
            if let Some((start, last)) = asked.and_then(|asked| asked.trim().split_once('-')) {
                range = Some((start.to_owned(), last.to_owned()));
            }
        }
        let mut words = first.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let number = path
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok());
        let Some(image) = number.and_then(|number: usize| self.images.get(number)) else {
            return stream
                .get_mut()
                .write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
        };
        let size = image.data.len();
        let part = range.and_then(|(start, last)| {
            let start: usize = start.parse().ok()?;
            let last = last.parse().unwrap_or(size - 1).min(size - 1);
            (start <= last).then_some(start..last + 1)
        });
        let (whim, chance) = self.whim(image.liar);
        send(
            stream.get_mut(),
            method == "HEAD",
            image,
            part,
            whim,
            chance,
        )
    }
}

fn send(
    stream: &mut TcpStream,
    head_only: bool,
    image: &Kept,
    part: Option<std::ops::Range<usize>>,
    whim: Whim,
    mut chance: Chance,
) -> io::Result<()> {
    let size = image.data.len();
    let (status, place) = match &part {
        Some(part) => (
            "206 Part",
            format!(
                "Content-Range: bytes {}-{}/{size}\r\n",
                part.start,
                part.end - 1
            ),
        ),
        None => ("200 OK", String::new()),
    };
    let part = part.unwrap_or(0..size);
    let mut body = image.data[part.clone()].to_vec();
    let announced = body.len() + usize::from(whim == Whim::Long) * 100;
    let mut cut = announced;
    match whim {
        Whim::Refuse => {
            return stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
        }
        Whim::Reset => return Ok(()),
        Whim::Long => body.extend(chance.bytes(100)),
        Whim::Flip if !body.is_empty() => {
            let at = chance.below(body.len());
            let bit = 1 << chance.below(8);
            image.flips.note(Place::Store, part.start + at, bit);
            body[at] ^= bit;
            if chance.percent(50) {
                cut = chance.below(announced);
            }
        }
        Whim::Short | Whim::Stall => cut = chance.below(announced),
        _ => {}
    }
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {announced}\r\n{place}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if head_only {
        return stream.flush();
    }
    for piece in body[..cut].chunks(PIECE) {
        stream.write_all(piece)?;
        if whim == Whim::Slow {
            thread::sleep(Duration::from_millis(3));
        }
    }
    if whim == Whim::Stall {
        thread::sleep(Duration::from_millis(1500));
    }
    stream.flush()
}
