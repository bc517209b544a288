//! A directory that cannot be written: the node serves past it, and says so once.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the directory is left alone before it is tried again.
const REST: Duration = Duration::from_secs(3);

/// Whether the directory can be used.
#[derive(Debug)]
pub struct Trouble {
    dir: PathBuf,
    /// Until when it is left alone; none where all is well.
    resting: Mutex<Option<Instant>>,
}

impl Trouble {
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            resting: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something did not work.
    pub fn begin(&self, error: &io::Error) {
        let before = self.lock().replace(Instant::now() + REST);
        if before.is_none() {
            let dir = self.dir.display();
            tracing::warn!("images are served past the cache, for {dir} cannot be used: {error}");
        }
    }

    /// Something worked.
    pub fn end(&self) {
        if self.lock().take().is_some() {
            tracing::info!(
                "the cache directory {} can be used again",
                self.dir.display()
            );
        }
    }

    /// Whether it is too early to try again.
    pub fn is_resting(&self) -> bool {
        self.lock().is_some_and(|until| Instant::now() < until)
    }
}
