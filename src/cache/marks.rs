//! What the original's driver `xattr` keeps on the files themselves: hits as an attribute, and the last access as
//! the time of access.
//!
//! Every copy has the attribute, for the original cannot serve one without it. While we run the index counts;
//! at the end its numbers are written to the files. A start takes over what was counted there meanwhile.

use std::fs::File;
use std::io;

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, XattrFlags};

use super::layout::{Layout, Placed};
use super::rows::{Known, Rows};
use crate::domain::ImageId;

const HITS: &str = "user.hits";

/// The hits that were counted on the file of an image.
pub fn hits(layout: &Layout, id: ImageId) -> Option<u64> {
    let mut value = [0; 20];
    let length = rustix::fs::getxattr(layout.image(id), HITS, &mut value[..]).ok()?;
    std::str::from_utf8(value.get(..length)?).ok()?.parse().ok()
}

/// What was counted on files.
pub fn read(layout: &Layout, images: &[Placed], now: DateTime<Utc>) -> Vec<Known> {
    let known = |image: &Placed| Known {
        id: image.id,
        hits: hits(layout, image.id).unwrap_or(0),
        last_accessed: image.accessed.max(image.modified),
        // The attribute came with the file: it is of no earlier copy.
        last_modified: now,
    };
    images.iter().map(known).collect()
}

/// A new copy has no hits. Where files have no attributes, the original does without the driver as well.
pub fn begin(file: &File) {
    let _ = rustix::fs::fsetxattr(file, HITS, b"0", XattrFlags::empty());
}

/// Writes down what the rows have.
pub fn write(layout: &Layout, rows: &Rows) -> io::Result<()> {
    for (id, row) in rows {
        let path = layout.image(*id);
        let hits = row.hits.to_string();
        match rustix::fs::setxattr(&path, HITS, hits.as_bytes(), XattrFlags::empty()) {
            // It left meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            done => done?,
        }
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: row.last_accessed.timestamp(),
                tv_nsec: row.last_accessed.timestamp_subsec_nanos().into(),
            },
            last_modification: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
        };
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}
