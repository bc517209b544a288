//! What can be wrong with a directory, and what is done about it.

use std::fmt;
use std::path::PathBuf;

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

    /// Whether it breaks a rule, as opposed to something that is only worth knowing.
    pub fn is_wrong(&self) -> bool {
        !matches!(
            self.what,
            What::Invalid
                | What::Unknown
                | What::Unproven
                | What::Untold
                | What::Aside
                | What::Moved
        )
    }

    /// Whether it is wrong, and may be the work of a service that is not done yet. No service makes a file that is not the
    /// cache's.
    pub(super) fn may_pass(&self) -> bool {
        self.is_wrong() && self.what != What::Foreign
    }

    /// The same thing, whatever its numbers have become.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let kind = std::mem::discriminant::<What>;
        self.path == other.path && kind(&self.what) == kind(&other.what)
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum What {
    #[error("is no image's and no file of the cache, and takes room")]
    Foreign,
    #[error("has no image's name")]
    Stray,
    #[error("is a link, a device or the like, and has an image's name")]
    NoFile,
    #[error("is a directory with an image's name, where a file belongs")]
    Directory,
    #[error("should be a directory")]
    NoDirectory,
    #[error("belongs to user {found}, and the directory to user {wanted}")]
    Owner { found: u32, wanted: u32 },
    #[error("is a wish of a rule that was not written to its end")]
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
    #[error("is not there, and has a row in the index")]
    RowWithoutFile,
    #[error("has no row in the index")]
    FileWithoutRow,
    #[error("has {found} bytes, and its row in the index says {row}")]
    RowSize { found: u64, row: i64 },

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
    /// The directory is removed where it is empty.
    RemoveDirectory,
    /// The image leaves the cache.
    Leave(ImageId),
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
            Self::Remove | Self::Drop(_) => pick("would be removed", "removed"),
            Self::RemoveDirectory => pick("would be removed where it is empty", "removed"),
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
