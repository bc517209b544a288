//! Buffers that outlive their use.
//!
//! A download wants a fresh buffer per chunk, and an allocator that maps and clears one each time costs
//! more than the copy into it. So buffers are cleared once in their life, handed out as [`Bytes`], and
//! come back here when the last of those is dropped. What is kept is bounded: a burst of clients gets its
//! buffers, but an idle process does not hold on to them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes of a buffer. Larger ones leave the processor's cache between the copy in and the copy out.
pub const CHUNK: usize = 64 * 1024;

/// Buffers that are kept: 4 MiB.
const KEPT: usize = 64;

static IDLE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<Box<[u8]>>> {
    // A list of buffers is whole whatever happened to the thread that held it.
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer, and how much of it has been filled.
pub(super) struct Buffer {
    memory: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    /// An empty one; what an earlier user left in it is never seen.
    pub(super) fn take() -> Self {
        let memory = idle().pop();
        Self {
            memory: memory.unwrap_or_else(|| vec![0; CHUNK].into_boxed_slice()),
            filled: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// Appends what `read` puts into the room that is left, at most up to `limit` bytes in all, and says how
    /// much that was.
    pub(super) fn fill<E>(
        &mut self,
        limit: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let limit = limit.min(self.memory.len());
        let count = read(&mut self.memory[self.filled..limit])?;
        self.filled = (self.filled + count).min(limit);
        Ok(count)
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

/// Copies bytes into buffers of one size: whoever keeps one of those keeps no more than that.
#[must_use]
pub fn packed(batch: &[Bytes]) -> Vec<Bytes> {
    let mut packed = Vec::new();
    let mut buffer = Buffer::take();
    for mut bytes in batch.iter().map(Bytes::as_ref) {
        while !bytes.is_empty() {
            if buffer.len() == CHUNK {
                packed.push(std::mem::replace(&mut buffer, Buffer::take()).freeze());
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - buffer.len()));
            let copied = buffer.fill(CHUNK, |room| {
                room[..now.len()].copy_from_slice(now);
                Ok::<_, std::convert::Infallible>(now.len())
            });
            debug_assert_eq!(copied, Ok(now.len()));
            bytes = later;
        }
    }
    if buffer.len() > 0 {
        packed.push(buffer.freeze());
    }
    packed
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = idle();
        if idle.len() < KEPT {
            idle.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_user_left_is_never_seen() {
        for byte in [1u8, 2] {
            let mut buffer = Buffer::take();
            assert_eq!(buffer.len(), 0);
            let filled = buffer.fill::<()>(10, |room| {
                room.fill(byte);
                Ok(room.len())
            });
            assert_eq!(filled, Ok(10));
            assert_eq!(&buffer.freeze()[..], [byte; 10]);
        }
    }

    #[test]
    fn bytes_that_are_packed_are_the_same_in_pieces_of_one_size() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 5).collect();
        for piece in [1000, CHUNK, CHUNK + 1, 4 * CHUNK] {
            let batch: Vec<Bytes> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
            let packed = packed(&batch);
            assert_eq!(packed.len(), 4);
            assert!(packed.concat() == bytes);
        }
        assert_eq!(packed(&[]), [""; 0]);
    }

    #[test]
    fn a_burst_is_served_and_not_kept() {
        let burst: Vec<Buffer> = (0..KEPT * 2).map(|_| Buffer::take()).collect();
        drop(burst);
        assert!(idle().len() <= KEPT);
    }
}
