//! Somebody who asks for this and that.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::answer::{Answer, Image};
use crate::chance::Chance;
use crate::http;
use crate::notes::Notes;

const MIB: usize = 1 << 20;

/// How a slow client reads, and how often before it has had enough of it.
const SIP: usize = 4096;
const PAUSE: Duration = Duration::from_millis(4);
const SIPS: usize = 40;

pub struct Client<'a> {
    pub address: SocketAddr,
    pub images: &'a [Image],
    pub notes: &'a Notes,
    pub chance: Chance,
}

impl Client<'_> {
    /// Asks until the end. What breaks off is forgiven, what came before is not.
    pub fn ask_until(mut self, ended: &AtomicBool) {
        while !ended.load(Ordering::Relaxed) {
            let what = match self.chance.below(100) {
                0..40 => self.download(false),
                40..50 => self.download(true),
                50..78 => self.part(),
                78..84 => self.leave_early(),
                84..90 => self.plain("DELETE"),
                90..96 => self.plain("PUT"),
                96 => self.cache("POST", "/prune").map(|()| "prunes"),
                97 => self.cache("POST", "/clean").map(|()| "cleans"),
                _ => self.cache("GET", "").map(|()| "listings"),
            };
            match what {
                Ok(what) => self.notes.saw(what),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let told = "a client waited in vain for a minute";
                    self.notes.complain(told.to_owned());
                }
                Err(_) => {
                    self.notes.saw("broken connections");
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn some_image(&mut self) -> usize {
        self.chance.below(self.images.len())
    }

    fn download(&mut self, slow: bool) -> io::Result<&'static str> {
        let image = &self.images[self.some_image()];
        let Some(mut answer) = Answer::ask(self.address, image, None, self.notes)? else {
            return Ok("refused downloads");
        };
        if slow {
            sip(&mut answer)?;
        }
        answer.take_all()?;
        Ok("downloads")
    }

    fn part(&mut self) -> io::Result<&'static str> {
        let image = &self.images[self.some_image()];
        let size = image.kept.data.len();
        if image.kept.liar && !image.in_files {
            return Ok("parts that nobody can prove");
        }
        let start = self.chance.below(size);
        let end = start + 1 + self.chance.below((size - start).min(6 * MIB));
        let part = Some(start..end.min(size));
        let Some(mut answer) = Answer::ask(self.address, image, part, self.notes)? else {
            return Ok("refused parts");
        };
        if start.is_multiple_of(4) {
            sip(&mut answer)?;
        }
        answer.take_all()?;
        Ok("parts")
    }

    fn leave_early(&mut self) -> io::Result<&'static str> {
        let image = &self.images[self.some_image()];
        let Some(mut answer) = Answer::ask(self.address, image, None, self.notes)? else {
            return Ok("refused downloads");
        };
        let mut wanted = self.chance.below(answer.left());
        while wanted > 0 {
            let before = answer.left();
            answer.take(wanted)?;
            wanted -= before - answer.left();
        }
        Ok("clients that left")
    }

    fn plain(&mut self, method: &str) -> io::Result<&'static str> {
        let image = &self.images[self.some_image()];
        self.cache(method, &format!("/{}", image.id))?;
        Ok(if method == "PUT" {
            "wishes"
        } else {
            "evictions"
        })
    }

    fn cache(&self, method: &str, path: &str) -> io::Result<()> {
        let path = format!("/v2/cache{path}");
        http::ask(self.address, method, &path, "", b"").map(drop)
    }
}

/// Reads slowly for a while.
fn sip(answer: &mut Answer) -> io::Result<()> {
    for _ in 0..SIPS {
        if answer.left() > 0 {
            answer.take(SIP)?;
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}
