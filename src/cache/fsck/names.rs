//! What lies where: names, kinds and owners of everything in the directory.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Counts, Finding, Repair, What, inside};
use crate::cache::layout::{Layout, files, image_named, is_originals_lock};
use crate::cache::queue;

const OTHERS: &str = "it is not the cache's";

/// Everything in a directory, links not followed. One that is not there is empty.
fn entries(dir: &Path) -> io::Result<Vec<(OsString, Metadata)>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) => found.push((entry.file_name(), metadata)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn is_gone(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&error.kind())
}

/// The directories that are ours, each below the one before it or beside.
fn rooms(layout: &Layout) -> [PathBuf; 8] {
    [
        layout.incomplete(),
        layout.invalid(),
        layout.queue(),
        layout.own(),
        layout.fills(),
        layout.parts(),
        layout.tables(),
        layout.pins(),
    ]
}

pub fn counts(layout: &Layout) -> io::Result<Counts> {
    let count = |dir: &Path| Ok::<_, io::Error>(files(dir)?.len() as u64);
    Ok(Counts {
        copies: layout.contents()?.images.len() as u64,
        parts: count(&layout.parts())?,
        queued: count(&layout.queue())?,
    })
}

pub fn check(layout: &Layout, findings: &mut Vec<Finding>) -> io::Result<()> {
    let owner = fs::metadata(layout.root())?;
    let mut look = Look {
        layout,
        owner: (owner.uid(), owner.gid()),
        findings,
    };
    let rooms = rooms(layout);
    for room in &rooms {
        look.room(room)?;
    }
    for (name, found) in entries(layout.root())? {
        let path = layout.root().join(&name);
        let ours =
            layout.is_index(&name) || is_originals_lock(&name, &found) || rooms.contains(&path);
        if found.is_file() && image_named(&name).is_none() && !ours {
            look.find(&path, What::Foreign, Repair::Nothing(OTHERS));
        } else if image_named(&name).is_some() {
            look.kind(&path, &found);
        }
        if found.is_file() && (ours || image_named(&name).is_some()) {
            look.owner(&path, &found);
        }
    }
    for dir in [
        layout.incomplete(),
        layout.parts(),
        layout.tables(),
        layout.queue(),
        layout.pins(),
    ] {
        for (name, found) in entries(&dir)? {
            let path = dir.join(&name);
            match image_named(&name) {
                Some(_) => look.kind(&path, &found),
                // Of the other directories the garbage is told of with what belongs there.
                None if found.is_file() && [layout.queue(), layout.pins()].contains(&dir) => {
                    look.find(&path, What::Stray, Repair::Remove);
                }
                None => {}
            }
            if found.is_file() {
                look.owner(&path, &found);
            }
        }
    }
    for draft in queue::drafts(layout)? {
        look.find(&draft, What::Draft, Repair::Remove);
    }
    let aside = layout.broken_index();
    if aside.exists() {
        let keep = Repair::Nothing("it is for somebody to look at, and may be removed");
        look.find(&aside, What::Aside, keep);
    }
    Ok(())
}

struct Look<'a> {
    layout: &'a Layout,
    /// Of the cache directory.
    owner: (u32, u32),
    findings: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn find(&mut self, path: &Path, what: What, repair: Repair) {
        let finding = Finding::new(inside(self.layout, path), what, repair);
        self.findings.push(finding);
    }

    /// One of our directories; it may be missing as long as no service has started.
    fn room(&mut self, path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => self.owner(path, &found),
            Ok(_) => self.find(path, What::NoDirectory, Repair::Nothing(OTHERS)),
            Err(error) if is_gone(&error) && fs::symlink_metadata(path).is_ok() => {
                self.find(path, What::NoDirectory, Repair::Nothing(OTHERS));
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What has an image's name is a file.
    fn kind(&mut self, path: &Path, found: &Metadata) {
        if found.is_dir() {
            self.find(path, What::Directory, Repair::RemoveDirectory);
        } else if !found.is_file() {
            self.find(path, What::NoFile, Repair::Remove);
        }
    }

    /// Where the directory is somebody's, what is in it is theirs.
    fn owner(&mut self, path: &Path, found: &Metadata) {
        let (user, group) = self.owner;
        if user == 0 || found.uid() == user {
            return;
        }
        let what = What::Owner {
            found: found.uid(),
            wanted: user,
        };
        let repair = if rustix::process::geteuid().is_root() {
            Repair::Give(user, group)
        } else {
            Repair::Nothing("root alone can give it away")
        };
        self.find(path, what, repair);
    }
}
