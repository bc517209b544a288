//! The words by which counts are told apart.

/// A label and its value.
pub(super) type Label = (&'static str, &'static str);

/// Labels with values that are known only while the service runs.
pub(super) type Labels<const N: usize> = [(&'static str, String); N];

/// Gives each variant the word that stands for it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As metrics and logs have it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// What a download found.
    Found {
        /// A copy, or all of the part that was asked for.
        Hit = "hit",
        /// A fill that had begun before, to read along with.
        Follower = "follower",
        /// Nothing, or not all of it: a fill or a fetch began.
        Miss = "miss",
        /// Nothing, and nothing could be brought in.
        Bypass = "bypass",
    }
}

words! {
    /// How much a download asked for.
    Asked {
        Whole = "whole",
        Range = "range",
    }
}

words! {
    /// Where bytes came from that a client got.
    Served {
        Cache = "cache",
        /// A copy in the making.
        Along = "along",
        Store = "store",
    }
}

words! {
    /// How a fill ended.
    Outcome {
        /// The copy is in its place.
        Cached = "cached",
        /// The store or the end of this process let it down, or there was no more room.
        Broken = "broken",
        /// The data was not the image's.
        Wrong = "wrong",
        /// The cache directory let it down.
        Disk = "disk",
        /// It was taken out of the cache before it came to its end.
        Dropped = "dropped",
    }
}

words! {
    /// Why a copy left.
    Reason {
        /// Another image needed its room.
        Room = "room",
        /// A prune brought the cache within its limit.
        Pruned = "pruned",
        /// Nobody used it for its time to live.
        Expired = "expired",
        /// Somebody asked for it.
        Asked = "asked",
        /// The image was deleted, here or by another node.
        Deleted = "deleted",
        /// The image has other data now.
        Stale = "stale",
        /// It was not the image, and could not be repaired.
        Bad = "bad",
    }
}
