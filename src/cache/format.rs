//! Which format our own files in the directory have: `.glance/format`, a number.
//!
//! What lies beside `.glance` is as the original has it and has no versions. A program that finds a number above
//! its own takes no lock on the directory and changes nothing in it, the index neither: it serves past the cache,
//! and says why. One that finds a lower number brings the files up to date and writes its own. A directory without
//! the mark is of the first format, for that had none at first; one that cannot be read was torn by a crash, and is
//! written anew.

use std::fs;
use std::io;

use super::layout::Layout;

/// What this program writes, and the highest it understands.
const FORMAT: u32 = 1;

/// The mark of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Absent,
    Known,
    /// It is no number.
    Torn,
    Newer(u32),
}

impl Mark {
    pub fn read(layout: &Layout) -> io::Result<Self> {
        // A pipe would wait for its other end.
        if fs::symlink_metadata(layout.format()).is_ok_and(|found| !found.is_file()) {
            return Ok(Self::Torn);
        }
        let text = match fs::read(layout.format()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(error),
        };
        let first = text.lines().next().unwrap_or_default().trim();
        Ok(match first.parse::<u32>() {
            Ok(found) if found > FORMAT => Self::Newer(found),
            Ok(_) => Self::Known,
            Err(_) => Self::Torn,
        })
    }
}

/// An error where a newer program has been at work here.
pub fn check(layout: &Layout) -> io::Result<()> {
    match Mark::read(layout) {
        Ok(Mark::Newer(found)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "it has format {found} of a newer program, and this one knows none above {FORMAT}"
            ),
        )),
        Ok(Mark::Absent | Mark::Known | Mark::Torn) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the mark where there is none that can be read.
pub fn mark(layout: &Layout) -> io::Result<()> {
    if matches!(Mark::read(layout)?, Mark::Known | Mark::Newer(_)) {
        return Ok(());
    }
    match fs::symlink_metadata(layout.format()) {
        Ok(found) if found.is_dir() => fs::remove_dir(layout.format())?,
        Ok(found) if !found.is_file() => fs::remove_file(layout.format())?,
        _ => {}
    }
    fs::write(layout.format(), format!("{FORMAT}\n"))?;
    layout.adopt(&fs::File::open(layout.format())?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_directory_is_marked_once_and_left_alone_when_it_is_a_newer_programs() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        assert_eq!(Mark::read(&layout).unwrap(), Mark::Known);
        for torn in ["", "\0\0", "one\n"] {
            fs::write(layout.format(), torn).unwrap();
            assert_eq!(Mark::read(&layout).unwrap(), Mark::Torn);
            layout.prepare().unwrap();
            assert_eq!(fs::read_to_string(layout.format()).unwrap(), "1\n");
        }
        fs::write(layout.format(), "2\nmore\n").unwrap();
        let refused = layout.prepare().unwrap_err();
        assert!(refused.to_string().contains("format 2"), "{refused}");
        assert_eq!(fs::read_to_string(layout.format()).unwrap(), "2\nmore\n");
    }
}
