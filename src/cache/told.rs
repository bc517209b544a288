//! What only a service knows, for who looks at the directory alone: `.glance/wanted`, what prefetch rules want here, a
//! line for each image and rule; `.glance/ways`, in which order copies leave, and for how long they may stay unused.
//!
//! A service writes them where they are something new: when its rules have looked, at its start, and when it reads its
//! options again. The next one goes by what was wanted until its own rules have looked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Cache;
use super::format;
use super::layout::{self, Layout};
use super::space::SpaceLock;
use crate::config::{Eviction, PrefetchRule};
use crate::domain::ImageId;

/// Images that rules want.
pub type Wanted = BTreeMap<ImageId, Want>;

/// Who wants an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Want {
    /// How many rules are more important than all that want it.
    pub rank: usize,
    /// The names of those that do.
    pub rules: Vec<String>,
}

/// What a service goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ways {
    pub eviction: Eviction,
    /// How long any copy may stay unused.
    pub life: Option<Duration>,
}

/// Bytes that are read of a file: a hundred thousand images.
const MOST: u64 = 16 * 1024 * 1024;

impl Cache {
    /// What rules want to be here from now on. It leaves for others last, and what the most important one wants after
    /// all else.
    pub async fn want(&self, wanted: Wanted) {
        let ranks = wanted.iter().map(|(id, want)| (*id, want.rank));
        self.node.residents.want(ranks.collect());
        let noted = self.work(move |node| note(&node.layout, &wanted)).await;
        if let Err(error) = noted {
            tracing::debug!("what rules want is not noted: {error}");
        }
    }

    /// Goes by what these rules wanted when they last looked: it stays over a restart. What others wanted, which are
    /// not there any more, is forgotten.
    pub(super) async fn recall_wanted(&self, rules: &[PrefetchRule]) {
        let known = match self.work(|node| known(&node.layout)).await {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!("what rules wanted is not known: {error}");
                Vec::new()
            }
        };
        let mut wanted = Wanted::new();
        for (rank, rule) in rules.iter().enumerate() {
            for (id, _) in known.iter().filter(|(_, name)| *name == rule.name) {
                let want = wanted.entry(*id).or_insert_with(|| Want {
                    rank,
                    rules: Vec::new(),
                });
                want.rules.push(rule.name.clone());
            }
        }
        self.want(wanted).await;
    }

    /// Notes what this process goes by.
    pub(super) async fn tell_ways(&self) {
        let noted = self.work(|node| {
            let ways = Ways {
                eviction: node.residents.eviction(),
                life: node.life(),
            };
            note_ways(&node.layout, ways)
        });
        if let Err(error) = noted.await {
            tracing::debug!("the order in which copies leave is not noted: {error}");
        }
    }
}

/// Notes what is wanted; nothing at all where nothing is.
fn note(layout: &Layout, wanted: &Wanted) -> io::Result<()> {
    let mut text = String::new();
    for (id, want) in wanted {
        for rule in &want.rules {
            let _ = writeln!(text, "{id} {rule}");
        }
    }
    write(layout, &layout.wanted(), &text)
}

/// Notes what a service goes by.
pub fn note_ways(layout: &Layout, ways: Ways) -> io::Result<()> {
    let eviction = match ways.eviction {
        Eviction::Lru => "lru",
        Eviction::S3Fifo => "s3-fifo",
    };
    let life = ways.life.unwrap_or_default().as_secs_f64();
    let text = format!("eviction {eviction}\nttl {life}\n");
    write(layout, &layout.ways(), &text)
}

/// What a service went by that worked here last; none where that is not known.
pub fn ways(layout: &Layout) -> io::Result<Option<Ways>> {
    let text = read(&layout.ways())?;
    let value = |name: &str| {
        let lines = text.lines();
        let mut lines = lines.filter_map(|line| line.split_once(' '));
        lines.find_map(|(known, value)| (known == name).then_some(value))
    };
    let eviction = value("eviction").and_then(Eviction::parse);
    let life = value("ttl").and_then(|life| life.parse().ok());
    let life = life.and_then(|life| Duration::try_from_secs_f64(life).ok());
    Ok(eviction.zip(life).map(|(eviction, life)| Ways {
        eviction,
        life: Some(life).filter(|life| !life.is_zero()),
    }))
}

/// Writes a file that says this, or none where it says nothing.
fn write(layout: &Layout, path: &Path, text: &str) -> io::Result<()> {
    format::check(layout)?;
    if text.is_empty() {
        return layout::remove(path).map(drop);
    }
    if read(path)? == text {
        return Ok(());
    }
    // It comes whole, also where two processes write the same. Drafts that are there without the lock are of processes
    // that died.
    let _lock = SpaceLock::take(layout)?;
    let draft = path.with_extension(std::process::id().to_string());
    let mut file = File::create(&draft)?;
    layout.adopt(&file)?;
    file.write_all(text.as_bytes())?;
    fs::rename(draft, path)
}

/// What was not written to its end. For who has the lock.
pub fn drafts(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let own = layout::files(&layout.own())?.into_iter();
    let own = own.map(|(name, _)| layout.own().join(name));
    let is_draft = |path: &PathBuf| {
        let process = path.extension().and_then(|process| process.to_str());
        let told = [layout.wanted(), layout.ways()].contains(&path.with_extension(""));
        told && process.is_some_and(|process| process.parse::<u32>().is_ok())
    };
    Ok(own.filter(is_draft).collect())
}

/// The rules that want an image.
pub fn by(layout: &Layout, id: ImageId) -> io::Result<Vec<String>> {
    let known = known(layout)?.into_iter();
    let of_image = known.filter(|(wanted, _)| *wanted == id);
    Ok(of_image.map(|(_, rule)| rule).collect())
}

/// Images and rules that want them.
fn known(layout: &Layout) -> io::Result<Vec<(ImageId, String)>> {
    let text = read(&layout.wanted())?;
    let lines = text.lines().filter_map(|line| {
        let (id, rule) = line.split_once(' ')?;
        Some((id.parse().ok()?, rule.to_owned()))
    });
    Ok(lines.collect())
}

fn read(path: &Path) -> io::Result<String> {
    let Some(file) = layout::open_existing(path)? else {
        return Ok(String::new());
    };
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_no_more_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        let (one, two) = (ImageId::random(), ImageId::random());
        assert!(by(&layout, one).unwrap().is_empty());
        let both = ["golden".to_owned(), "new ones".to_owned()];
        let want = |rules: &[String]| Want {
            rank: 0,
            rules: rules.to_vec(),
        };
        let mut wanted = Wanted::from([(one, want(&both)), (two, want(&both[..1]))]);
        note(&layout, &wanted).unwrap();
        assert_eq!(by(&layout, one).unwrap(), both);
        assert_eq!(by(&layout, two).unwrap(), both[..1]);

        wanted.remove(&one);
        note(&layout, &wanted).unwrap();
        assert!(by(&layout, one).unwrap().is_empty());
        note(&layout, &Wanted::new()).unwrap();
        assert!(!layout.wanted().exists());
        let names = layout::files(&layout.own()).unwrap();
        let wanted = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("wanted");
        assert!(!names.iter().any(|(name, _)| wanted(name)), "{names:?}");
    }

    #[test]
    fn ways_are_read_as_they_were_noted() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        assert_eq!(ways(&layout).unwrap(), None);
        for (eviction, life) in [
            (Eviction::Lru, None),
            (Eviction::S3Fifo, Some(Duration::from_millis(1500))),
        ] {
            let noted = Ways { eviction, life };
            note_ways(&layout, noted).unwrap();
            assert_eq!(ways(&layout).unwrap(), Some(noted));
        }
        fs::write(layout.ways(), "eviction of others\nttl 1\n").unwrap();
        assert_eq!(ways(&layout).unwrap(), None);
    }
}
