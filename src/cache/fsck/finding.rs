//! What can be wrong with a directory, and what is done about it.

use std::fmt;
use std::path::PathBuf;

use super::kind::Kind;
use super::prove::Hashed;
use crate::cache::spans::Proof;
use crate::domain::ImageId;

/// Something that is not as the rules have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In the cache directory.
    pub path: PathBuf,
    pub what: What,
    pub repair: Repair,
}

impl Finding {
    pub fn new(path: impl Into<PathBuf>, what: What, repair: Repair) -> Self {
        Self {
            path: path.into(),
            what,
            repair,
        }
    }

    /// How much it matters.
    pub fn weight(&self) -> Weight {
        match self.what {
            What::Foreign
            | What::Alien(_)
            | What::Fresh
            | What::Lent { .. }
            | What::Invalid
            | What::Unknown
            | What::Unproven
            | What::Untold
            | What::Aside
            | What::Moved => Weight::Note,
            What::Unreadable | What::IndexAway(_) | What::NoAnswer(_) => Weight::Unchecked,
            _ => Weight::Wrong,
        }
    }

    /// Whether it breaks a rule.
    pub fn is_wrong(&self) -> bool {
        self.weight() == Weight::Wrong
    }

    /// Whether it could not be checked.
    pub fn is_unchecked(&self) -> bool {
        self.weight() == Weight::Unchecked
    }

    /// The same thing, whatever its numbers have become.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let kind = std::mem::discriminant::<What>;
        self.path == other.path && kind(&self.what) == kind(&other.what)
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It breaks a rule.
    Wrong,
    /// It is worth knowing.
    Note,
    /// Nobody knows whether it breaks a rule.
    Unchecked,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum What {
    #[error("is no image's and no file of the cache, and takes room")]
    Foreign,
    #[error("is {0} that is not the cache's")]
    Alien(Kind),
    #[error("is {0} where the cache has files alone")]
    Junk(Kind),
    #[error("is {0} in the place of a file of the cache")]
    Obstacle(Kind),
    #[error("has no image's name")]
    Stray,
    #[error("has no image's name, and is younger than the stall time")]
    Fresh,
    #[error("is a link, a device or the like, and has an image's name")]
    NoFile,
    #[error("is a directory with an image's name, where a file belongs")]
    Directory,
    #[error("should be a directory")]
    NoDirectory,
    #[error("belongs to user {found}, and the directory to user {wanted}")]
    Owner { found: u32, wanted: u32 },
    #[error("belongs to user {found}, and lets user {wanted}, who has the directory, read it")]
    Lent { found: u32, wanted: u32 },
    #[error("cannot be read by who asks")]
    Unreadable,
    #[error("is a wish or a note of a rule that was not written to its end")]
    Draft,
    #[error("is no mark of a format")]
    Mark,
    #[error("says that {said} bytes are taken, and {found} are")]
    Tally { said: u64, found: u64 },
    #[error("was put aside when it turned out to be broken")]
    Aside,

    #[error("has a table of spans that is of another file, or cannot be read")]
    OthersTable,
    #[error(
        "lies in another file than the one that its table of spans was made for, as after a restore"
    )]
    Moved,
    #[error("has {found} bytes, and its table of spans says {wanted}")]
    TableSize { found: u64, wanted: u64 },
    #[error("lacks the checksums of {0} of its spans")]
    Unsummed(u64),
    #[error("has bad bytes in {bad} of its {all} spans")]
    BadSpans { bad: u64, all: u64 },
    #[error(
        "has other checksums in {bad} of its {all} spans than its table says, and the digest of the image"
    )]
    BadTable { bad: u64, all: u64 },
    #[error("does not have the digest of the image")]
    BadDigest,
    #[error("has no table of spans: it is proven when it is next read")]
    Unproven,

    #[error("has spans that nobody can go on with")]
    UselessPart,
    #[error("has {0} spans with bad bytes")]
    BadParts(u64),
    #[error("is the table of spans of no file")]
    OrphanTable,
    #[error("promises room to no fill")]
    OrphanPromise,
    #[error("was being filled by a process that died")]
    DeadFill,
    #[error("is a fill that nobody has gone on with for the stall time")]
    Stalled,
    #[error("was not the image's data, and waits for the cleaner")]
    Invalid,

    #[error("is not there, and there are copies")]
    NoIndex,
    #[error("is {0} in the place of the index: hits are kept in memory alone")]
    IndexObstructed(&'static str),
    #[error("is empty, and there are copies: the index is lost")]
    EmptyIndex,
    #[error("is no index: {0}")]
    BrokenIndex(String),
    #[error("cannot be read, so rows are not checked: {0}")]
    IndexAway(String),
    #[error("is not there, and has a row in the index")]
    RowWithoutFile,
    #[error("has no row in the index")]
    FileWithoutRow,
    #[error("has {found} bytes, and its row in the index says {row}")]
    RowSize { found: u64, row: i64 },

    #[error("does not answer, so nothing is held against the records of images: {0}")]
    NoAnswer(String),
    #[error("is of an image that was deleted")]
    Deleted,
    #[error("is of an image that the database has never known")]
    Unknown,
    #[error("has {found} bytes, and the image {wanted}")]
    ImageSize { found: u64, wanted: u64 },
    #[error("is of other data than the image has now")]
    OtherData,
    #[error("is not there, and the database tells other nodes that it is")]
    ToldInVain,
    #[error("is here, and the database does not tell other nodes yet")]
    Untold,
}

/// What is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The file is removed.
    Remove,
    /// The directory, which is empty, is removed.
    RemoveDirectory,
    /// The directory goes where it is in nobody's way, with all that is in it.
    MoveAside,
    /// The image leaves the cache.
    Leave(ImageId),
    /// All of the copy is read: it gets a new table, or leaves.
    Prove(ImageId, Proof),
    /// It was read.
    Settle(Hashed),
    /// The table speaks from now on for the file of this inode, which was compared with it.
    Bind(ImageId, u64),
    /// The table is removed: the copy is proven anew from the digest of its image.
    Forget(ImageId),
    /// The spans of a dead fill are put where the next one goes on with them.
    PutAside(ImageId),
    /// The copy becomes a part that lacks these spans.
    Park(ImageId, Vec<u64>),
    /// The part lacks these spans from now on.
    Clear(ImageId, Vec<u64>),
    /// The part is removed with its table.
    Drop(ImageId),
    /// The file is given to this user and group.
    Give(u32, u32),
    /// Rows are made to agree with the files.
    Mend,
    /// The mark is written anew.
    Mark,
    /// What is there is counted anew.
    Count,
    /// The database is told.
    Tell(ImageId),
    /// Somebody else has to know what it is for.
    Nothing(&'static str),
}

impl Repair {
    /// What would be done, or was.
    pub fn words(&self, done: bool) -> String {
        let pick = |would: &str, did: &str| if done { did } else { would }.to_owned();
        match self {
            Self::Remove | Self::RemoveDirectory | Self::Drop(_) => {
                pick("would be removed", "removed")
            }
            Self::MoveAside => pick(
                "it is not empty, and would be moved into invalid/, where it stays",
                "it is not empty, and was moved into invalid/, where it stays",
            ),
            Self::Prove(..) => pick(
                "the copy would be hashed: it gets a new table where it has the digest, and else leaves the cache",
                "it is not the copy that it was any more",
            ),
            Self::Settle(hashed) if hashed.is_right() => pick(
                "the copy has the digest, and would get a new table",
                "the copy has the digest, and got a new table",
            ),
            Self::Settle(_) => pick(
                "the copy does not have the digest, and would leave the cache",
                "the copy does not have the digest, and left the cache",
            ),
            Self::Bind(..) => pick(
                "all of it is right, and the table would be made this file's",
                "all of it is right, and the table is this file's now",
            ),
            Self::Leave(_) => pick("the copy would leave the cache", "the copy left the cache"),
            Self::Forget(_) => pick(
                "the table would be removed, and the copy proven anew",
                "the table was removed, the copy is proven anew when it is read",
            ),
            Self::PutAside(_) => pick(
                "its spans would be put aside for the next fill",
                "its spans were put aside for the next fill",
            ),
            Self::Park(..) => pick(
                "would become a part, with these spans to be fetched again",
                "became a part, with these spans to be fetched again",
            ),
            Self::Clear(..) => pick("they would be forgotten", "they were forgotten"),
            Self::Give(user, _) => pick(
                &format!("would be given to user {user}"),
                &format!("given to user {user}"),
            ),
            Self::Mend => pick(
                "rows would be made to agree with files",
                "rows agree with files",
            ),
            Self::Mark => pick("would be written anew", "written anew"),
            Self::Count => pick("would be counted anew", "counted anew"),
            Self::Tell(_) => pick("the row would be removed", "the row was removed"),
            Self::Nothing(why) => format!("left alone: {why}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}
