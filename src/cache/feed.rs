//! Bringing the data of a fill: from the store, as fast as it comes and the disk takes it, and only what is not
//! here already.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::node::{Node, blocking};
use super::parts::Open;
use super::source::Supply;
use super::sums::{self, bytes_of, spans_of};
use crate::domain::checksum::Hasher;
use crate::stream::{ByteRange, ByteStream};

/// Bytes that are written at once, where the store is quick enough.
const BATCH: usize = 1024 * 1024;

/// Bytes that are read at once of what is here already.
const KEPT_PIECE: usize = 256 * 1024;

/// How long bytes wait for others to be written with.
const MOMENT: Duration = Duration::from_millis(10);

/// A store that sends nothing for so long will not go on. Those who read along look again.
const STALL: Duration = Duration::from_mins(2);

/// What comes to the writer.
pub enum Step {
    Data(Vec<Bytes>),
    /// These bytes are here already, from an earlier fill or from those who wanted a part.
    Kept(ByteRange),
    /// There is no more.
    End,
    /// There is more, but it cannot be had.
    Broken(String),
}

/// What comes to the thread that hashes.
pub enum Piece {
    Data(Vec<Bytes>),
    Kept(ByteRange),
}

/// How the data of a store ended.
pub enum Ended {
    Complete,
    Broken(String),
}

impl Ended {
    pub fn reason(self) -> String {
        match self {
            Ended::Complete => "the store sent too few bytes".into(),
            Ended::Broken(reason) => reason,
        }
    }
}

/// The one that reads the store, as fast as it comes and the disk takes it, and only what is not here.
pub struct Feed {
    pub open: Arc<Open>,
    pub stop: CancellationToken,
    pub size: Option<u64>,
    pub supply: Supply,
    pub writer: mpsc::Sender<Step>,
    pub hasher: mpsc::Sender<Piece>,
    pub node: Arc<Node>,
}

/// The writer has ended before its time, and knows why.
struct WriterGone;

impl Feed {
    pub async fn run(mut self) {
        let (stop, writer) = (self.stop.clone(), self.writer.clone());
        let last = tokio::select! {
            biased;
            () = stop.cancelled() => Step::Broken("this node is stopping".into()),
            () = writer.closed() => return,
            last = self.send_all() => match last {
                Ok(last) => last,
                Err(WriterGone) => return,
            },
        };
        drop(self.hasher);
        // See above.
        let _ = self.writer.send(last).await;
    }

    /// Sends all there is, and says how it ended.
    async fn send_all(&mut self) -> Result<Step, WriterGone> {
        let Some(size) = self.size else {
            return self.send_from_store(None).await;
        };
        let mut span = 0;
        while span < spans_of(size) {
            let (here, end) = self.open.partial.table().run(span);
            if here && self.send_kept(span, size).await? {
                span += 1;
                continue;
            }
            let end = if here { span + 1 } else { end };
            let run = bytes_of(span, end, size);
            let last = self.send_from_store(Some(run)).await?;
            // What comes at the end of the last run is what there is: the writer knows whether it is enough.
            if end == spans_of(size) || !matches!(last, Step::End) {
                return Ok(last);
            }
            span = end;
        }
        if size == 0 {
            return self.send_from_store(Some(bytes_of(0, 0, 0))).await;
        }
        Ok(Step::End)
    }

    /// Says that a span is here. False where it is not what it was when it came.
    async fn send_kept(&mut self, span: u64, size: u64) -> Result<bool, WriterGone> {
        let bytes = bytes_of(span, span + 1, size);
        let open = Arc::clone(&self.open);
        let right = blocking(move || {
            let found = sums::sum_of(open.partial.file(), bytes)?;
            Ok(open.partial.table().sum(span) == Some(found))
        });
        if !right.await.unwrap_or(false) {
            let id = self.open.partial.id();
            self.node.counters.verify_failures.inc();
            tracing::warn!(image.id = %id, span, what = "fill", "span {span} of image {id} went bad and is fetched again");
            return Ok(false);
        }
        // Nobody hashes an image whose hash is not known.
        let _ = self.hasher.send(Piece::Kept(bytes)).await;
        let sent = self.writer.send(Step::Kept(bytes)).await;
        sent.map(|()| true).map_err(|_| WriterGone)
    }

    /// Sends what the store has of a run of spans, or all it has.
    async fn send_from_store(&mut self, run: Option<ByteRange>) -> Result<Step, WriterGone> {
        let whole = self
            .size
            .is_none_or(|size| run.is_none_or(|run| run.len() == size));
        let opened = timeout(STALL, self.supply.open(run.filter(|_| !whole))).await;
        let mut blob = match opened {
            Ok(Ok(blob)) => blob,
            Ok(Err(error)) => return Ok(Step::Broken(error.to_string())),
            Err(_) => return Ok(silent()),
        };
        // More than was asked for is of interest at the end of the image alone.
        let ends = run.is_none_or(|run| Some(run.end) == self.size);
        let mut left = run.filter(|_| !ends).map(|run| run.len());
        loop {
            // Two are on their way to the disk, and what came of the store last.
            let share = usize::try_from(self.node.fills.share() / 4);
            let most = share.map_or(BATCH, |share| share.min(BATCH));
            let Ok((batch, end)) = timeout(STALL, next_batch(&mut blob.bytes, most)).await else {
                return Ok(silent());
            };
            let batch = match &mut left {
                Some(left) => up_to(left, batch),
                None => batch,
            };
            // Nobody hashes an image whose hash is not known.
            let _ = self.hasher.send(Piece::Data(batch.clone())).await;
            let sent = self.writer.send(Step::Data(batch)).await;
            sent.map_err(|_| WriterGone)?;
            match (end, left) {
                (_, Some(0)) | (Some(Ended::Complete), None) => return Ok(Step::End),
                (Some(ended), _) => return Ok(Step::Broken(ended.reason())),
                (None, _) => {}
            }
        }
    }
}

fn silent() -> Step {
    Step::Broken(format!("the store sent nothing for {STALL:?}"))
}

/// The bytes that are still wanted.
fn up_to(left: &mut u64, batch: Vec<Bytes>) -> Vec<Bytes> {
    let cut = batch.into_iter().map(|mut chunk| {
        let wanted = usize::try_from(*left).map_or(chunk.len(), |left| left.min(chunk.len()));
        chunk.truncate(wanted);
        *left -= wanted as u64;
        chunk
    });
    cut.collect()
}

/// What the store has ready, up to a batch, and whether that was the end. Those who read along are not to
/// wait for a slow store to fill a batch, but each batch wakes all of them: so it waits for the first bytes,
/// and then a moment for more.
pub async fn next_batch(bytes: &mut ByteStream, most: usize) -> (Vec<Bytes>, Option<Ended>) {
    let mut batch = Vec::new();
    let mut size = 0;
    let mut next = bytes.next().await;
    let full = Instant::now() + MOMENT;
    loop {
        match next {
            Some(Ok(chunk)) => {
                size += chunk.len();
                batch.push(chunk);
            }
            Some(Err(error)) => return (batch, Some(Ended::Broken(error.to_string()))),
            None => return (batch, Some(Ended::Complete)),
        }
        if size >= most {
            return (batch, None);
        }
        match timeout_at(full, bytes.next()).await {
            Ok(more) => next = more,
            Err(_) => return (batch, None),
        }
    }
}

/// Hashes what comes, and what is here of it.
pub fn hash(
    open: &Open,
    mut hasher: Hasher,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<String> {
    let mut buffer = Vec::new();
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Data(batch) => batch.iter().for_each(|chunk| hasher.update(chunk)),
            Piece::Kept(mut rest) => {
                buffer.resize(KEPT_PIECE, 0);
                while !rest.is_empty() {
                    let wanted = usize::try_from(rest.len()).unwrap_or(KEPT_PIECE);
                    let piece = &mut buffer[..wanted.min(KEPT_PIECE)];
                    open.partial.file().read_exact_at(piece, rest.start)?;
                    hasher.update(piece);
                    rest.start += piece.len() as u64;
                }
            }
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::task::yield_now;

    use super::*;

    /// A store that sends so many parts, none of which is there when it is asked for, and then nothing.
    fn hesitant(parts: u64) -> ByteStream {
        Box::pin(stream::unfold(0, move |sent| async move {
            if sent == parts {
                std::future::pending::<()>().await;
            }
            yield_now().await;
            Some((Ok(Bytes::from_static(b"part")), sent + 1))
        }))
    }

    #[tokio::test]
    async fn what_comes_within_a_moment_is_written_at_once() {
        let mut batches = Vec::new();
        // The moment may pass while this machine does something else.
        while batches.len() < 100 && batches.last().is_none_or(|last| last != "partpartpart") {
            let mut store = hesitant(3);
            let batch = timeout(STALL, next_batch(&mut store, BATCH)).await;
            let (batch, end) = batch.expect("those who read along wait for a moment only");
            assert!(end.is_none());
            batches.push(String::from_utf8(batch.concat()).unwrap());
        }
        assert!(batches.len() < 100, "{batches:?}");
    }
}
