//! Reading a file as a stream: the way of every byte that leaves the cache or the file store.
//!
//! What is in the page cache is copied inline, a chunk per poll: handing so short a job to another thread
//! costs more than the job. The kernel is asked with `RWF_NOWAIT`, so a disk never holds up the runtime;
//! where it would have to wait, the chunk is read on a blocking thread, and as long as the file proves
//! cold, the next one is read while this one is being sent.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use tokio_util::task::AbortOnDropHandle;

use super::pool::{Buffer, CHUNK};
use super::{ByteRange, ByteStream};

/// The bytes of a `range` of a file. A file that got shorter meanwhile ends the stream with an error.
///
/// The kernel keeps one read-ahead state per open file: a file opened for each reader reads best.
pub fn read_file(file: Arc<File>, range: ByteRange) -> ByteStream {
    // Advice; a file system that does not take it is merely slower.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    Box::pin(FileStream {
        file,
        rest: range,
        inline: true,
        ahead: None,
    })
}

/// The bytes of a short `range` of a file, at most [`CHUNK`] of them: what is in memory at once, all else from a
/// blocking thread. A file that is too short is an error.
pub async fn read_at(file: &Arc<File>, range: ByteRange) -> io::Result<Bytes> {
    // See below.
    tokio::task::coop::consume_budget().await;
    let mut buffer = Buffer::take();
    let wanted = chunk_of(range);
    if !matches!(read_now(file, range, &mut buffer), Ok(count) if count == wanted) {
        let file = Arc::clone(file);
        let read = tokio::task::spawn_blocking(move || read_waiting(&file, range)).await;
        buffer = read.map_err(io::Error::other)??.buffer;
    }
    if buffer.len() < wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(buffer.freeze())
}

struct FileStream {
    file: Arc<File>,
    /// What has not been handed out.
    rest: ByteRange,
    /// Whether it is worth asking for pages without waiting.
    inline: bool,
    /// The next chunk, on its way from the disk.
    ahead: Option<AbortOnDropHandle<io::Result<Chunk>>>,
}

/// What one read brought.
struct Chunk {
    buffer: Buffer,
    /// It came from the disk, so the next one will too.
    cold: bool,
}

impl FileStream {
    /// Starts to read the next chunk on a blocking thread.
    fn read_ahead(&mut self) {
        let (file, rest) = (Arc::clone(&self.file), self.rest);
        let task = tokio::task::spawn_blocking(move || read_waiting(&file, rest));
        self.ahead = Some(AbortOnDropHandle::new(task));
    }

    fn deliver(&mut self, buffer: Buffer) -> io::Result<Bytes> {
        if buffer.len() == 0 {
            let missing = self.rest.len();
            self.rest.start = self.rest.end;
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends {missing} bytes too early"),
            ));
        }
        self.rest.start += buffer.len() as u64;
        Ok(buffer.freeze())
    }

    fn fail(&mut self, error: io::Error) -> Poll<Option<io::Result<Bytes>>> {
        self.rest.start = self.rest.end;
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for FileStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A reader that is never made to wait would never let go of the runtime's thread.
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        loop {
            if let Some(ahead) = &mut self.ahead {
                let read = ready!(Pin::new(ahead).poll(cx));
                turn.made_progress();
                self.ahead = None;
                return match read.map_err(io::Error::other).flatten() {
                    Ok(Chunk { buffer, cold }) => {
                        let delivered = self.deliver(buffer);
                        if cold && delivered.is_ok() && !self.rest.is_empty() {
                            self.read_ahead();
                        }
                        Poll::Ready(Some(delivered))
                    }
                    Err(error) => self.fail(error),
                };
            }
            if self.rest.is_empty() {
                return Poll::Ready(None);
            }
            if self.inline {
                let mut buffer = Buffer::take();
                match read_now(&self.file, self.rest, &mut buffer) {
                    Ok(_) => {
                        turn.made_progress();
                        return Poll::Ready(Some(self.deliver(buffer)));
                    }
                    Err(Errno::AGAIN) => {}
                    // An old kernel, or a file system that cannot tell: it will not learn to.
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.inline = false,
                    Err(error) => return self.fail(error.into()),
                }
            }
            self.read_ahead();
        }
    }
}

/// How much of `rest` goes into one chunk.
fn chunk_of(rest: ByteRange) -> usize {
    usize::try_from(rest.len()).map_or(CHUNK, |len| len.min(CHUNK))
}

/// Copies what is in memory; `AGAIN` where that is nothing.
fn read_now(file: &File, rest: ByteRange, buffer: &mut Buffer) -> Result<usize, Errno> {
    buffer.fill(chunk_of(rest), |room| {
        loop {
            let slices = &mut [IoSliceMut::new(room)];
            match rustix::io::preadv2(file, slices, rest.start, ReadWriteFlags::NOWAIT) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    })
}

/// Reads a whole chunk, from the disk if need be. Only the end of the file makes it shorter.
fn read_waiting(file: &File, rest: ByteRange) -> io::Result<Chunk> {
    let mut buffer = Buffer::take();
    let wanted = chunk_of(rest);
    let cold = !matches!(read_now(file, rest, &mut buffer), Ok(count) if count == wanted);
    while buffer.len() < wanted {
        let position = rest.start + buffer.len() as u64;
        match buffer.fill(wanted, |room| file.read_at(room, position)) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Chunk { buffer, cold })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::{StreamExt as _, TryStreamExt as _};

    use super::*;

    /// Bytes that differ from place to place.
    fn pattern(len: usize) -> Vec<u8> {
        (0..=250).cycle().take(len).collect()
    }

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    async fn read(file: &Arc<File>, start: u64, end: u64) -> Vec<u8> {
        let stream = read_file(Arc::clone(file), ByteRange { start, end });
        let parts: Vec<Bytes> = stream.try_collect().await.unwrap();
        parts.concat()
    }

    /// Pages that are clean can be taken out of memory.
    fn forget_pages(file: &File) {
        file.sync_all().unwrap();
        rustix::fs::fadvise(file, 0, None, Advice::DontNeed).unwrap();
    }

    #[tokio::test]
    async fn a_file_comes_as_it_is() {
        let bytes = pattern(CHUNK * 3 + 17);
        let file = file_of(&bytes);
        assert_eq!(read(&file, 0, bytes.len() as u64).await, bytes);
    }

    #[tokio::test]
    async fn a_file_that_is_not_in_memory_comes_as_it_is() {
        let bytes = pattern(CHUNK * 9 + 17);
        let file = file_of(&bytes);
        forget_pages(&file);
        assert_eq!(read(&file, 0, bytes.len() as u64).await, bytes);
    }

    #[tokio::test]
    async fn a_range_starts_and_ends_where_it_says() {
        let bytes = pattern(CHUNK * 2);
        let file = file_of(&bytes);
        for (start, end) in [(0, 1), (5, 5 + CHUNK), (CHUNK - 1, CHUNK + 1), (7, 7)] {
            assert_eq!(
                read(&file, start as u64, end as u64).await,
                bytes[start..end]
            );
        }
    }

    #[tokio::test]
    async fn a_file_that_got_shorter_ends_in_an_error() {
        for cold in [false, true] {
            let file = file_of(&pattern(CHUNK + 10));
            if cold {
                forget_pages(&file);
            }
            let end = CHUNK as u64 * 2;
            let mut stream = read_file(Arc::clone(&file), ByteRange { start: 0, end });
            let mut seen = 0;
            let error = loop {
                match stream.next().await.expect("no silent end") {
                    Ok(bytes) => seen += bytes.len(),
                    Err(error) => break error,
                }
            };
            assert_eq!(seen, CHUNK + 10);
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(stream.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_midway_leaves_the_file_to_others() {
        let bytes = pattern(CHUNK * 4);
        let file = file_of(&bytes);
        forget_pages(&file);
        let end = bytes.len() as u64;
        let mut stream = read_file(Arc::clone(&file), ByteRange { start: 0, end });
        stream.next().await.unwrap().unwrap();
        drop(stream);
        assert_eq!(read(&file, 0, end).await, bytes);
    }
}
