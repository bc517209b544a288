//! An answer with data of an image. Every byte is compared as it comes, also where the connection breaks off later, or
//! the client leaves: whoever gets a byte may use it.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::http::{self, Opened};
use crate::notes::Notes;
use crate::store::Kept;

/// How broken answers are counted that showed bits which were turned around on purpose.
pub const SHOWN: &str = "broken answers with bits that were turned around";

/// An image of the service.
#[derive(Debug)]
pub struct Image {
    pub id: String,
    pub kept: Arc<Kept>,
    /// The service itself keeps it, in files: then parts of it can be had.
    pub in_files: bool,
}

/// An answer that is being taken. Dropped, it is judged.
pub struct Answer<'a> {
    image: &'a Image,
    notes: &'a Notes,
    what: &'static str,
    opened: Opened,
    wanted: Range<usize>,
    /// What has not come.
    rest: Range<usize>,
    /// Bytes that were wrong, and which bits of them.
    wrong: Vec<(usize, u8)>,
}

impl<'a> Answer<'a> {
    /// Asks for an image, or for a part of it. None where it is refused.
    pub fn ask(
        address: SocketAddr,
        image: &'a Image,
        part: Option<Range<usize>>,
        notes: &'a Notes,
    ) -> io::Result<Option<Self>> {
        let size = image.kept.data.len();
        let (what, status, header) = match &part {
            None => ("a download", 200, String::new()),
            Some(Range { start, end }) => {
                let header = format!("Range: bytes={start}-{}\r\n", end - 1);
                ("a part", 206, header)
            }
        };
        let wanted = part.unwrap_or(0..size);
        let path = format!("/v2/images/{}/file", image.id);
        let opened = http::open(address, "GET", &path, &header, b"")?;
        if opened.status != status {
            return Ok(None);
        }
        let place = format!("bytes {}-{}/{size}", wanted.start, wanted.end - 1);
        let placed = opened.range.as_ref().is_none_or(|range| *range == place);
        if opened.length != wanted.len() || !placed {
            let (id, length, range) = (&image.id, opened.length, &opened.range);
            notes.complain(format!(
                "{what} of image {id}: {length} bytes at {range:?} in the place of {place}"
            ));
            return Ok(None);
        }
        Ok(Some(Self {
            image,
            notes,
            what,
            opened,
            rest: wanted.clone(),
            wanted,
            wrong: Vec::new(),
        }))
    }

    /// Bytes that have not come.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes what comes next, so many bytes at most.
    pub fn take(&mut self, most: usize) -> io::Result<()> {
        let got = self.opened.some(most.min(self.rest.len()))?;
        let right = &self.image.kept.data[self.rest.start..];
        let bytes = (self.rest.start..).zip(std::iter::zip(&got, right));
        let wrong = bytes.filter(|(_, (got, right))| got != right);
        self.wrong
            .extend(wrong.map(|(at, (got, right))| (at, got ^ right)));
        self.rest.start += got.len();
        Ok(())
    }

    /// Takes all that is left; an error where the connection ends before.
    pub fn take_all(&mut self) -> io::Result<()> {
        while self.left() > 0 {
            self.take(usize::MAX)?;
        }
        Ok(())
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let complete = self.left() == 0;
        let flips = &self.image.kept.flips;
        let explained = |(at, bits): &(usize, u8)| flips.explain(*at, *bits);
        let unexplained = self
            .wrong
            .iter()
            .find(|wrong| complete || !explained(wrong));
        if let Some((at, bits)) = unexplained {
            let (what, id, wanted) = (self.what, &self.image.id, &self.wanted);
            let (got, wrong) = (wanted.len() - self.left(), self.wrong.len());
            self.notes.complain(format!(
                "{what} of image {id}, {wanted:?}: {got} bytes came, {wrong} of them wrong, at {at} by {bits:#04x}"
            ));
        } else if !complete && got_some(&self.rest, &self.wanted) {
            self.notes.saw("broken answers that were compared");
            self.notes.count(SHOWN, u64::from(!self.wrong.is_empty()));
        }
    }
}

fn got_some(rest: &Range<usize>, wanted: &Range<usize>) -> bool {
    rest.start > wanted.start
}
