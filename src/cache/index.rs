//! The index: what files cannot say, in the original's one table.
//!
//! A copy is cached because its file is there, whatever the index says. So rows follow files: a row without
//! a file goes, a file without a row gets one. The database is one plain file in rollback-journal mode, as
//! the original reads and writes it. One that is no database, or not this one, is put aside and made anew.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::format;
use super::layout::{Layout, Placed};
use super::rows::{self, Changes, Known, Row, Rows};
use super::standings::{self, Stored};
use crate::domain::ImageId;

/// Waiting longer for another process would hold up a listing.
const BUSY: Duration = Duration::from_secs(1);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS cached_images (
        image_id TEXT PRIMARY KEY,
        last_accessed REAL DEFAULT 0.0,
        last_modified REAL DEFAULT 0.0,
        size INTEGER DEFAULT 0,
        hits INTEGER DEFAULT 0,
        checksum TEXT
    );
";

/// The index of one directory. It is opened when it is first needed, and again when it was replaced.
#[derive(Debug)]
pub struct Index {
    layout: Layout,
    open: Option<Open>,
    /// Rows are missing that were there: the table was made where there was none.
    anew: bool,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Device and inode of the file that was opened.
    identity: (u64, u64),
}

impl Index {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            open: None,
            anew: false,
        }
    }

    /// Whether rows were lost since they last agreed with the files.
    pub fn is_anew(&self) -> bool {
        self.anew
    }

    /// What became of copies after the change of this number, and the number of the last one.
    pub fn standings(&mut self, turn: i64) -> rusqlite::Result<(Vec<(ImageId, Stored)>, i64)> {
        if !self.layout.index().exists() {
            return Ok((Vec::new(), 0));
        }
        self.with(|connection, _| standings::since(connection, turn))
    }

    /// A number that changes when another process writes. None where there is no index.
    pub fn version(&mut self) -> rusqlite::Result<Option<i64>> {
        if !self.layout.index().exists() {
            self.anew |= self.open.take().is_some();
            return Ok(None);
        }
        self.with(|connection, _| {
            // An error where somebody has emptied the file.
            let any = "SELECT 1 FROM cached_images LIMIT 1";
            connection.prepare_cached(any)?.exists([])?;
            connection.query_row("PRAGMA data_version", [], |row| row.get(0))
        })
        .map(Some)
    }

    /// Every row. An index that does not exist yet has none, and is not created for the asking.
    pub fn rows(&mut self) -> rusqlite::Result<Rows> {
        if !self.layout.index().exists() {
            return Ok(Rows::new());
        }
        self.with(|connection, _| rows::read(connection))
    }

    /// The row of one image.
    pub fn row(&mut self, id: ImageId) -> rusqlite::Result<Option<Row>> {
        if !self.layout.index().exists() {
            return Ok(None);
        }
        self.with(|connection, _| rows::read_one(connection, id))
    }

    /// Writes down what happened, in one transaction. A row is kept or made where the file is there, and
    /// goes where it is not, whatever the order in which things happened in several processes.
    pub fn record(&mut self, changes: &Changes) -> rusqlite::Result<()> {
        self.with(|connection, layout| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            standings::prepare(&transaction)?;
            for (id, change) in changes {
                rows::write(&transaction, layout, *id, change)?;
            }
            transaction.commit()
        })
    }

    /// Makes rows and files agree, in one transaction, and says what the rows are then.
    pub fn mend(&mut self, images: &[Placed]) -> rusqlite::Result<Rows> {
        let mended = self.with(|connection, layout| {
            let rows = rows::read(connection)?;
            let names = rows::names(connection)?;
            let found: HashMap<&str, &Placed> = images
                .iter()
                .map(|image| (image.id.as_str(), image))
                .collect();
            // Another process may have put a file there since the directory was read.
            let gone: Vec<&String> = names
                .iter()
                .filter(|name| !found.contains_key(name.as_str()))
                .filter(|name| !layout.root().join(name).exists())
                .collect();
            let new: Vec<&Placed> = images
                .iter()
                .filter(|image| !rows.contains_key(&image.id))
                .collect();
            if gone.is_empty() && new.is_empty() {
                return Ok(rows);
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            standings::prepare(&transaction)?;
            for name in gone {
                standings::forget(&transaction, name)?;
                transaction
                    .prepare_cached("DELETE FROM cached_images WHERE image_id = ?")?
                    .execute([name])?;
            }
            for image in new {
                if layout.image(image.id).exists() {
                    rows::insert(&transaction, layout, image)?;
                }
            }
            let rows = rows::read(&transaction)?;
            transaction.commit()?;
            Ok(rows)
        });
        self.anew &= mended.is_err();
        mended
    }

    /// Takes over what others have counted of copies that are here, in one transaction. Says of which, and how many
    /// hits that adds.
    pub fn adopt(&mut self, known: &[Known]) -> rusqlite::Result<Vec<(Known, u64)>> {
        self.with(|connection, _| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut adopted = Vec::new();
            for known in known {
                if let Some(more) = rows::adopt(&transaction, known)? {
                    adopted.push((*known, more));
                }
            }
            transaction.commit()?;
            Ok(adopted)
        })
    }

    /// Closes the file. The next use opens it again.
    pub fn close(&mut self) {
        let Some(Open { connection, .. }) = self.open.take() else {
            return;
        };
        if format::check(&self.layout).is_ok() {
            // Takes the journal away; where another process is just writing, that one will.
            let _ = connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()));
        }
        if let Err((_, error)) = connection.close() {
            tracing::warn!("the cache index was not closed properly: {error}");
        }
    }

    /// Runs `work` on the open index; once more on a new one where this one turns out to be none.
    fn with<T>(
        &mut self,
        work: impl Fn(&mut Connection, &Layout) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match self.attempt(&work) {
            Err(error) if is_broken(&error) => {
                self.put_aside(&error)?;
                self.attempt(&work)
            }
            Err(error) if is_emptied(&error) => {
                let index = self.layout.index().display();
                tracing::warn!(
                    "the cache index {index} is empty ({error}): made anew from the files"
                );
                self.open = None;
                self.attempt(&work)
            }
            result => result,
        }
    }

    fn attempt<T>(
        &mut self,
        work: impl Fn(&mut Connection, &Layout) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        // To open it writes already: what a newer program has made is not read either.
        format::check(&self.layout).map_err(|error| cannot_open(&error))?;
        let identity = identity(&self.layout).ok();
        let open = match self.open.take() {
            Some(open) if Some(open.identity) == identity => open,
            _ => {
                let (open, made) = open(&self.layout)?;
                self.anew |= made;
                open
            }
        };
        let open = self.open.insert(open);
        work(&mut open.connection, &self.layout)
    }

    /// Keeps a broken index for somebody to look at, out of the original's sight.
    fn put_aside(&mut self, why: &rusqlite::Error) -> rusqlite::Result<()> {
        self.open = None;
        let index = self.layout.index();
        let aside = self.layout.broken_index();
        tracing::warn!(
            "the cache index {} is broken ({why}): moved to {}, made anew from the files",
            index.display(),
            aside.display()
        );
        let journal = journal_of(index);
        let moved = fs::rename(index, &aside).and_then(|()| {
            match fs::rename(journal, journal_of(&aside)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        moved.map_err(|error| cannot_open(&error))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}

fn journal_of(index: &std::path::Path) -> std::path::PathBuf {
    let mut name = index.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

fn identity(layout: &Layout) -> io::Result<(u64, u64)> {
    fs::metadata(layout.index()).map(|found| (found.dev(), found.ino()))
}

fn cannot_open(error: &io::Error) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}

/// Opens the index, and says whether its table had to be made.
fn open(layout: &Layout) -> rusqlite::Result<(Open, bool)> {
    create(layout).map_err(|error| cannot_open(&error))?;
    let connection = connect(layout, BUSY)?;
    // The journal stays, empty, while the index is open: a file that comes and goes with every hit would
    // look as if somebody had changed the directory.
    connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))?;
    // What is lost with the power is made anew from the files.
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let known = "SELECT 1 FROM sqlite_schema WHERE name = 'cached_images'";
    let made = !connection.prepare(known)?.exists([])?;
    connection.execute_batch(SCHEMA)?;
    check(&connection)?;
    let identity = identity(layout).map_err(|error| cannot_open(&error))?;
    let open = Open {
        connection,
        identity,
    };
    Ok((open, made))
}

/// Opens the index that is there, and waits for others as long as `busy`.
pub fn connect(layout: &Layout, busy: Duration) -> rusqlite::Result<Connection> {
    // Not read-only, even for a look: what a crash has left half written is rolled back by whoever comes next.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(layout.index(), flags)?;
    connection.busy_timeout(busy)?;
    Ok(connection)
}

/// Whether its pages are in order; an error that is [`is_broken`] where they are not.
pub fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA quick_check(1)", [], |row| {
        let verdict: String = row.get(0)?;
        if verdict == "ok" {
            return Ok(());
        }
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(rusqlite::Error::SqliteFailure(code, Some(verdict)))
    })
}

/// SQLite gives its journal to the owner of the database; so the database must have the right one.
fn create(layout: &Layout) -> io::Result<()> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(layout.index())
    {
        Ok(file) => layout.adopt(&file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether this is no index of ours, as opposed to one that cannot be had just now.
pub fn is_broken(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => true,
            // The table has other columns, or is none.
            ErrorCode::Unknown => message.as_deref().is_some_and(|message| {
                message.contains("no such column") || message.contains("no column named")
            }),
            _ => false,
        },
        rusqlite::Error::SqlInputError { msg, .. } => msg.contains("column"),
        _ => false,
    }
}

/// Whether the table is not there: somebody has emptied the file.
pub fn is_emptied(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.contains("no such table"),
        rusqlite::Error::SqlInputError { msg, .. } => msg.contains("no such table"),
        _ => false,
    }
}
