//! A fill that takes one step at a time, as its thread does.

use std::cell::Cell;
use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Weak};
use std::thread;

use bytes::Bytes;

use super::super::account::Account;
use super::super::claim::{Claim, Failure};
use super::super::feed::Step;
use super::super::fill::Writer;
use super::super::growing::HELD_BACK;
use super::super::parts::Open;
use super::super::sums::{bytes_of, spans_of, sum_of};
use super::{Chance, DIGEST};

/// What images are made of.
pub static DATA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0..5 << 18).map(|word| Chance::of(word).next());
    words.flat_map(u64::to_le_bytes).collect()
});

/// What comes of a fill, if nobody meddles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Right,
    /// Some byte is another one.
    Lie,
    /// The store has less, or more, than the image.
    Short,
    Long,
    /// The store fails.
    Broken,
    /// The claim is dropped.
    Abandoned,
}

/// What is next.
#[derive(Debug)]
enum Next {
    Data(Vec<Bytes>),
    Kept(u64),
    End,
    Prove,
    Commit,
    Break,
    Abandon,
}

pub struct Filling {
    writer: Option<Writer>,
    /// Not kept open by this.
    open: Weak<Open>,
    inode: u64,
    plan: VecDeque<Next>,
    failed: Option<Failure>,
    /// What the image is.
    data: &'static [u8],
    /// What its readers are to get.
    pub content: Vec<u8>,
    size: Option<u64>,
    pub verified: bool,
    /// Somebody has written into its file, which others may have filled before.
    touched: Rc<Cell<bool>>,
    /// It proved to be other data, and readers were told so.
    pub wrong: bool,
}

impl Filling {
    pub fn new(claim: Claim, data: &'static [u8], chance: &mut Chance) -> Self {
        let fates = [Fate::Lie, Fate::Short, Fate::Long, Fate::Broken];
        let fate = match chance.below(10) {
            at @ 0..4 => fates[at],
            4 => Fate::Abandoned,
            _ => Fate::Right,
        };
        let size = claim.expected.size;
        let open = Arc::clone(claim.open());
        let account = Account::begin(open.partial.id(), None);
        let plan = plan(&open, data, fate, chance);
        Self {
            writer: Some(Writer::new(claim, None, None, account)),
            inode: open.partial.inode(),
            open: Arc::downgrade(&open),
            plan,
            failed: None,
            data,
            content: Vec::new(),
            size,
            verified: false,
            touched: Rc::default(),
            wrong: false,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.writer.is_none()
    }

    /// Up to where its readers may be.
    pub fn may_show(&self) -> u64 {
        let written = self.content.len() as u64;
        match (self.verified, self.size) {
            (true, _) => written,
            (false, Some(size)) => size.saturating_sub(HELD_BACK).min(written),
            (false, None) => written.saturating_sub(HELD_BACK),
        }
    }

    /// It goes on with the file of another, where it is the same.
    pub fn after(mut self, others: &[Filling]) -> Self {
        if let Some(other) = others.iter().find(|other| other.inode == self.inode) {
            self.touched = Rc::clone(&other.touched);
        }
        self
    }

    /// Whether nobody but fills has written into its file.
    pub fn is_untouched(&self) -> bool {
        !self.touched.get()
    }

    /// The node stops.
    pub fn stop(&mut self) {
        if !self.verified {
            self.plan = [Next::Break].into();
        }
    }

    /// Somebody writes into the file.
    pub fn flip(&mut self, chance: &mut Chance) {
        let Some(open) = self.open.upgrade().filter(|_| !self.content.is_empty()) else {
            return;
        };
        let (at, mut byte) = (chance.below(self.content.len()) as u64, [0]);
        let file = open.partial.file();
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[!byte[0]], at).unwrap();
        self.touched.set(true);
    }

    /// Takes the next step of it; says whether it was dropped for want of readers.
    pub fn step(&mut self) -> bool {
        if let Some(failure) = self.failed.take() {
            let dropped = matches!(failure, Failure::Dropped);
            self.wrong = matches!(failure, Failure::Wrong(_));
            self.end(Err(failure));
            return dropped;
        }
        let Some(mut writer) = self.writer.take() else {
            return false;
        };
        let took = match self.plan.pop_front() {
            Some(Next::Data(batch)) => {
                let bytes = batch.concat();
                let took = writer.take(Step::Data(batch));
                if took.is_ok() {
                    self.content.extend(bytes);
                }
                took.map(drop)
            }
            Some(Next::Kept(span)) => {
                let range = bytes_of(span, span + 1, self.size.unwrap());
                let mut bytes = vec![0; usize::try_from(range.len()).unwrap()];
                let open = self.open.upgrade().expect("it is being filled");
                open.partial
                    .file()
                    .read_exact_at(&mut bytes, range.start)
                    .unwrap();
                self.content.extend(bytes);
                writer.take(Step::Kept(range)).map(drop)
            }
            Some(Next::End) => writer.take(Step::End).map(|last| assert!(last)),
            Some(Next::Prove) => {
                let right = self.content == self.data;
                let digest = if right { DIGEST } else { "another" };
                let hashing = thread::spawn(move || Ok(digest.to_owned()));
                let proven = writer.prove(Some(hashing));
                self.verified = proven.is_ok();
                proven
            }
            Some(Next::Break) => writer.take(Step::Broken("it broke".into())).map(drop),
            Some(Next::Commit) => {
                self.writer = Some(writer);
                self.end(Ok(()));
                return false;
            }
            Some(Next::Abandon) | None => {
                drop(writer);
                return false;
            }
        };
        self.failed = took.err();
        self.writer = Some(writer);
        false
    }

    fn end(&mut self, proven: Result<(), Failure>) {
        if let Some(writer) = self.writer.take() {
            let verified = proven.is_ok();
            let ended = writer.end(proven);
            assert!(verified || ended.is_err(), "what failed is no copy");
        }
    }
}

/// What a feed would send: what is here already, and what is not in pieces of any size.
fn plan(open: &Open, data: &[u8], fate: Fate, chance: &mut Chance) -> VecDeque<Next> {
    let (size, table) = (data.len() as u64, open.partial.table());
    let mut bytes = data.to_vec();
    if let (Fate::Lie, Some(byte)) = (fate, chance.some_of(&mut bytes)) {
        *byte ^= 1;
    }
    let mut plan = VecDeque::new();
    for span in 0..spans_of(size) {
        let range = bytes_of(span, span + 1, size);
        let sum = table.sum(span);
        if sum.is_some() && sum_of(open.partial.file(), range).ok() == sum {
            plan.push_back(Next::Kept(span));
            continue;
        }
        let (_, rest) = bytes.split_at(usize::try_from(range.start).unwrap());
        let (mut rest, _) = rest.split_at(usize::try_from(range.len()).unwrap());
        while !rest.is_empty() {
            let mut batch = Vec::new();
            for _ in 0..=chance.below(2) {
                let sizes = [1, 1 << 16, 1 << 20, (1 << 20) + 77, 3 << 20, 4 << 20];
                let count = sizes[chance.below(sizes.len())].min(rest.len());
                batch.push(Bytes::copy_from_slice(&rest[..count]));
                rest = &rest[count..];
            }
            plan.push_back(Next::Data(batch));
        }
    }
    let cut = chance.below(plan.len() + 1);
    match fate {
        Fate::Right | Fate::Lie => {}
        Fate::Short => drop(plan.pop_back()),
        Fate::Long => plan.push_back(Next::Data(vec![Bytes::from_static(b"more")])),
        Fate::Broken | Fate::Abandoned => plan.truncate(cut),
    }
    let end = match fate {
        Fate::Broken => vec![Next::Break],
        Fate::Abandoned => vec![Next::Abandon],
        _ => vec![Next::End, Next::Prove, Next::Commit],
    };
    plan.extend(end);
    plan
}
