//! A small disk that can be filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk of its own where one may be mounted, else a directory that is never full. Dropped, it is gone.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    mounted: bool,
}

impl Disk {
    pub fn mount(path: PathBuf, mebibytes: usize) -> std::io::Result<Self> {
        fs::create_dir_all(&path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]);
        let mounted = mount.arg(&path).output();
        let mounted = mounted.is_ok_and(|done| done.status.success());
        if !mounted {
            println!("skipped: a disk that can be filled takes the right to mount one");
        }
        Ok(Self { path, mounted })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room there is, as somebody else would.
    pub fn fill(&self) {
        if self.mounted {
            // It fails for want of room, which is the point.
            let _ = fs::write(self.path.join("ballast"), vec![1; 64 << 20]);
        }
    }

    pub fn relieve(&self) {
        // It may not have been full.
        let _ = fs::remove_file(self.path.join("ballast"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily, for a process may be about to leave it.
            let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        }
    }
}
