//! Somebody who reads along, and is polled by hand: as an executor does, when he was woken and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

use super::super::FillBroken;
use super::filling::Filling;
use crate::stream::{Blob, ByteRange, ByteStream};

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub struct Reader {
    /// None when it has ended.
    bytes: Option<ByteStream>,
    /// Whom it follows; of a whole copy who made it.
    pub follows: usize,
    /// It reads a whole copy.
    whole: bool,
    position: u64,
    end: Option<u64>,
    woken: Arc<Woken>,
}

impl Reader {
    pub fn new(blob: Blob, follows: usize, range: Option<ByteRange>, whole: bool) -> Self {
        let woken = Arc::<Woken>::default();
        woken.0.store(true, Ordering::SeqCst);
        Self {
            position: range.map_or(0, |range| range.start),
            end: range.map(|range| range.end).or(blob.size),
            bytes: Some(blob.bytes),
            follows,
            whole,
            woken,
        }
    }

    /// It follows a fill, and has not ended.
    pub fn is_following(&self, fill: usize) -> bool {
        self.bytes.is_some() && self.follows == fill && !self.whole
    }

    pub fn has_ended(&self) -> bool {
        self.bytes.is_none()
    }

    pub fn is_woken(&self) -> bool {
        self.bytes.is_some() && self.woken.0.load(Ordering::SeqCst)
    }

    pub fn leave(&mut self) {
        self.bytes = None;
    }

    /// Takes so many pieces at most. What it sends to the blocking thread has been done when this returns.
    pub fn read(&mut self, pieces: usize, runtime: &Runtime, fill: &Filling) {
        let _inside = runtime.enter();
        for _ in 0..pieces {
            while self.is_woken() {
                self.woken.0.store(false, Ordering::SeqCst);
                let waker = Waker::from(Arc::clone(&self.woken));
                let bytes = self.bytes.as_mut().expect("it has not ended");
                match bytes.poll_next_unpin(&mut Context::from_waker(&waker)) {
                    Poll::Ready(next) => {
                        self.woken.0.store(true, Ordering::SeqCst);
                        match next {
                            Some(Ok(bytes)) => self.got(&bytes, fill),
                            Some(Err(error)) => self.broke(&error, fill),
                            None => self.ended(fill),
                        }
                        break;
                    }
                    // There is one such thread, and it takes one after the other.
                    Poll::Pending => runtime.block_on(async {
                        tokio::task::spawn_blocking(|| ()).await.unwrap();
                    }),
                }
            }
        }
    }

    fn got(&mut self, bytes: &[u8], fill: &Filling) {
        let start = usize::try_from(self.position).unwrap();
        let right = &fill.content[start..start + bytes.len()];
        self.position += bytes.len() as u64;
        let shown = fill.may_show();
        assert!(self.position <= shown, "{} of {shown}", self.position);
        let wrong = std::iter::zip(bytes, right).position(|(got, right)| got != right);
        assert_eq!(wrong.map(|at| start + at), None, "a byte is wrong");
    }

    fn ended(&mut self, fill: &Filling) {
        let end = self.end.unwrap_or(fill.content.len() as u64);
        assert_eq!(self.position, end, "an end before the end");
        // Who wants no more than a part has it when it is there.
        let proven = fill.verified || self.end.is_some_and(|end| end <= fill.may_show());
        assert!(proven || self.whole, "an end without a proof");
        self.bytes = None;
    }

    fn broke(&mut self, error: &std::io::Error, fill: &Filling) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let broken: &FillBroken = inner.unwrap_or_else(|| panic!("another error: {error}"));
        if fill.is_untouched() {
            assert!(!self.whole && fill.has_ended(), "{broken}");
            assert!(!fill.verified, "a proven fill broke: {broken}");
        }
        assert_eq!(broken.resumable, !fill.wrong, "{broken}");
        self.bytes = None;
    }
}
