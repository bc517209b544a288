//! What lies where: names, kinds and owners of everything in the directory.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::kind::Kind;
use super::{Counts, Finding, Repair, What, inside};
use crate::cache::layout::{Layout, files, image_named, is_originals_lock};
use crate::cache::{queue, told};

const IN_NOBODYS_WAY: &str = "it may be somebody's, and is in nobody's way";
const TAKES_ROOM: &str = "it may be somebody's; its bytes count against the limit";
const UNKNOWN_OWN: &str = "a newer program may know it, or somebody";
const IN_THE_WAY: &str =
    "move it out of the cache directory, and a service makes the directory at its start";

/// What a file system makes for itself, where one is mounted.
const FOUND: &str = "lost+found";

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
        rooms: rooms(layout),
        findings,
    };
    for room in rooms(layout) {
        look.room(&room)?;
    }
    look.top()?;
    look.own()?;
    for room in rooms(layout) {
        if room != layout.own() {
            look.inside(&room)?;
        }
    }
    Ok(())
}

struct Look<'a> {
    layout: &'a Layout,
    /// Of the cache directory.
    owner: (u32, u32),
    rooms: [PathBuf; 8],
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
            Ok(_) => self.find(path, What::NoDirectory, Repair::Nothing(IN_THE_WAY)),
            Err(error) if is_gone(&error) && fs::symlink_metadata(path).is_ok() => {
                self.find(path, What::NoDirectory, Repair::Nothing(IN_THE_WAY));
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What lies among the copies.
    fn top(&mut self) -> io::Result<()> {
        for (name, found) in entries(self.layout.root())? {
            let path = self.layout.root().join(&name);
            let is_image = image_named(&name).is_some();
            if is_image && !found.is_file() {
                self.obstacle(&path, &found);
            } else if is_image || self.layout.is_index(&name) || is_originals_lock(&name, &found) {
                if found.is_file() {
                    self.owner(&path, &found);
                }
            } else if found.is_file() {
                self.find(&path, What::Foreign, Repair::Nothing(TAKES_ROOM));
            } else if !self.rooms.contains(&path) && name != FOUND {
                let what = What::Alien(Kind::of(found.file_type()));
                self.find(&path, what, Repair::Nothing(IN_NOBODYS_WAY));
            }
        }
        Ok(())
    }

    /// What lies in `.glance` beside its directories.
    fn own(&mut self) -> io::Result<()> {
        let layout = self.layout;
        let mut drafts = queue::drafts(layout)?;
        drafts.extend(told::drafts(layout)?);
        for draft in &drafts {
            self.find(draft, What::Draft, Repair::Remove);
        }
        for (name, found) in entries(&layout.own())? {
            let path = layout.own().join(&name);
            if self.rooms.contains(&path) || layout.is_index(&name) || drafts.contains(&path) {
                continue;
            }
            let kind = Kind::of(found.file_type());
            let aside = path == layout.broken_index();
            // Of what is no mark of a format one is told in any case.
            let known = aside || is_known(layout, &path);
            if aside && found.is_file() {
                let keep = Repair::Nothing("it is for somebody to look at, and may be removed");
                self.find(&path, What::Aside, keep);
            } else if known && !found.is_file() && path != layout.format() {
                self.find(&path, What::Obstacle(kind), removal(&path, &found));
            } else if !known {
                self.find(&path, What::Alien(kind), Repair::Nothing(UNKNOWN_OWN));
            }
        }
        Ok(())
    }

    /// What lies in one of the other directories. Of garbage that goes with a fill, a part, a table or a promise is told
    /// with these.
    fn inside(&mut self, dir: &Path) -> io::Result<()> {
        let layout = self.layout;
        let is_list = [layout.queue(), layout.pins()].contains(&dir.to_owned());
        let is_owned = ![layout.invalid(), layout.fills()].contains(&dir.to_owned());
        for (name, found) in entries(dir)? {
            let path = dir.join(&name);
            let is_image = image_named(&name).is_some();
            if found.is_file() {
                if is_list && !is_image {
                    self.find(&path, What::Stray, Repair::Remove);
                }
                if is_owned {
                    self.owner(&path, &found);
                }
            } else if is_image {
                self.obstacle(&path, &found);
            } else {
                let kind = Kind::of(found.file_type());
                match removal(&path, &found) {
                    Repair::MoveAside => {
                        let left = Repair::Nothing(IN_NOBODYS_WAY);
                        self.find(&path, What::Alien(kind), left);
                    }
                    removal => self.find(&path, What::Junk(kind), removal),
                }
            }
        }
        Ok(())
    }

    /// What has an image's name is a file.
    fn obstacle(&mut self, path: &Path, found: &Metadata) {
        let what = if found.is_dir() {
            What::Directory
        } else {
            What::NoFile
        };
        self.find(path, what, removal(path, found));
    }

    /// Where the directory is somebody's, what is in it is theirs.
    fn owner(&mut self, path: &Path, found: &Metadata) {
        let (user, group) = self.owner;
        if user == 0 || found.uid() == user {
            return;
        }
        let (found_user, wanted) = (found.uid(), user);
        let what = if self.may_be_lent(path) && is_readable(found, group) {
            What::Lent {
                found: found_user,
                wanted,
            }
        } else {
            What::Owner {
                found: found_user,
                wanted,
            }
        };
        let repair = if rustix::process::geteuid().is_root() {
            Repair::Give(user, group)
        } else {
            Repair::Nothing("root alone can give it away")
        };
        self.find(path, what, repair);
    }

    /// Whether it does where a service can read it: a copy, a wish or a pin. It can take them away in any case.
    fn may_be_lent(&self, path: &Path) -> bool {
        let places = [
            self.layout.root().to_owned(),
            self.layout.queue(),
            self.layout.pins(),
        ];
        let is_image = path.file_name().and_then(image_named).is_some();
        is_image
            && path
                .parent()
                .is_some_and(|dir| places.iter().any(|place| place == dir))
    }
}

/// Whether those may read a file who are of a group.
fn is_readable(found: &Metadata, group: u32) -> bool {
    let of_group = found.gid() == group && found.mode() & 0o040 != 0;
    of_group || found.mode() & 0o004 != 0
}

/// Whether a file of this name is ours, in `.glance`.
fn is_known(layout: &Layout, path: &Path) -> bool {
    let known = [
        layout.format(),
        layout.space_lock(),
        layout.wanted(),
        layout.ways(),
        layout.broken_index(),
    ];
    let text = path.as_os_str().as_encoded_bytes();
    let of_index = text.strip_suffix(b"-journal");
    let is_journal = of_index == Some(layout.broken_index().as_os_str().as_encoded_bytes());
    is_journal || known.iter().any(|known| known == path)
}

/// How one gets rid of what is no file. No more than a name goes: what is in a directory is kept.
fn removal(path: &Path, found: &Metadata) -> Repair {
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !found.is_dir() {
        Repair::Remove
    } else if is_empty() {
        Repair::RemoveDirectory
    } else {
        Repair::MoveAside
    }
}
