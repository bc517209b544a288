//! The cache of this node: `[DEFAULT] image_cache_*` and our own `[image_cache]`.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::ini::Settings;
use super::prefetch::PrefetchRule;
use super::schedule::Schedule;

#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// `image_cache_dir`
    pub dir: PathBuf,
    /// `image_cache_max_size`, bytes: a limit that holds. 0 admits nothing.
    pub max_size: u64,
    /// `image_cache_stall_time`: an unlocked partial or invalid file this old belongs to nobody.
    pub stall_time: Duration,
    /// The name by which this node tells others what it has, where `image_cache_driver` says `centralized_db`:
    /// `worker_self_reference_url`, or the machine's name. All drivers use our index.
    pub node_name: Option<String>,
    /// `image_cache_sqlite_db`, relative to `dir`; where `image_cache_driver` says `xattr` in [`hidden_index`].
    pub index_file: PathBuf,
    /// `[image_cache] min_free_space`, bytes of the disk that the cache leaves free.
    pub min_free_space: u64,
    /// `[image_cache] prefetch_workers`
    pub prefetch_workers: usize,
    /// `[image_cache] queue_settle`: how long a queued image rests before it is fetched.
    pub queue_settle: Duration,
    /// `[image_cache] prune_schedule`; empty turns it off.
    pub prune_schedule: Option<Schedule>,
    /// `[image_cache] clean_schedule`; empty turns it off.
    pub clean_schedule: Option<Schedule>,
    /// `[image_cache] eviction`
    pub eviction: Eviction,
    /// `[image_cache] low_water`: when copies have to leave, so many hundredths of `max_size` stay.
    pub low_water: u8,
    /// `[image_cache] ttl`: how long a copy may stay unused; none for as long as there is room.
    pub ttl: Option<Duration>,
    /// `[image_cache] verify`
    pub verify: Verify,
    /// `[image_cache] sweep_rate`, bytes per second; 0 turns the sweep off.
    pub sweep_rate: u64,
    /// `[image_cache] sweep_period`: how long a span that was right is trusted, and how long a sweep over all
    /// copies takes at most, as far as its rate allows.
    pub sweep_period: Duration,
    /// `[image_cache] peers`: whom to ask for copies before a store is read; none where nobody is.
    pub peers: Option<PeersConfig>,
    /// `[image_cache] fill_on_range`
    pub fill_on_range: FillOnRange,
    /// `[image_cache_prefetch:NAME]`, the most important first.
    pub rules: Vec<PrefetchRule>,
}

/// How other nodes are asked for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeersConfig {
    /// `[image_cache] peer_ca_file`: who vouches for their certificates, in PEM; none is whom the system believes.
    pub ca_file: Option<PathBuf>,
    /// `[image_cache] peer_timeout`: how soon a node has to begin its answer.
    pub timeout: Duration,
}

/// Which copies leave first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// What was not used for longest, as in the original.
    Lru,
    /// What was read once and not again.
    S3Fifo,
}

/// When the bytes of a copy are compared with their checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Before they leave.
    Always,
    /// Before they leave, where the file may have changed since they last were.
    Changed,
    /// By the sweep alone.
    Sweep,
    /// Never.
    Off,
}

/// Whether an image of which only a part was asked for is brought in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillOnRange {
    Never,
    /// When it is asked for again.
    Second,
    Always,
}

impl Eviction {
    /// The order of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lru" => Eviction::Lru,
            "s3-fifo" => Eviction::S3Fifo,
            _ => return None,
        })
    }
}

impl Verify {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "always" => Verify::Always,
            "changed" => Verify::Changed,
            "sweep" => Verify::Sweep,
            "off" => Verify::Off,
            _ => return None,
        })
    }
}

impl FillOnRange {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "never" => FillOnRange::Never,
            "second" => FillOnRange::Second,
            "always" => FillOnRange::Always,
            _ => return None,
        })
    }
}

impl CacheConfig {
    /// A cache without a limit at `dir`, where nothing happens by itself.
    pub fn at(dir: PathBuf) -> Self {
        Self {
            dir,
            max_size: u64::MAX,
            stall_time: Duration::from_hours(24),
            node_name: None,
            index_file: "cache.db".into(),
            min_free_space: 0,
            prefetch_workers: 1,
            queue_settle: Duration::ZERO,
            prune_schedule: None,
            clean_schedule: None,
            eviction: Eviction::S3Fifo,
            low_water: 100,
            ttl: None,
            verify: Verify::Changed,
            sweep_rate: 0,
            sweep_period: Duration::from_hours(24),
            peers: None,
            fill_on_range: FillOnRange::Never,
            rules: Vec::new(),
        }
    }

    /// None where no directory is set.
    pub(super) fn from(settings: &Settings) -> Result<Option<Self>, Error> {
        let default = settings.section("DEFAULT");
        let ours = settings.section("image_cache");
        let Some(dir) = default.path("image_cache_dir")? else {
            return Ok(None);
        };
        let driver = default.string("image_cache_driver")?.to_lowercase();
        let index = default.path("image_cache_sqlite_db")?.unwrap_or_default();
        // A schedule has a default, so only an empty one is none.
        let schedule = |option| ours.read(option, Schedule::parse);
        Ok(Some(Self {
            dir,
            max_size: default.number("image_cache_max_size")?,
            stall_time: default.seconds("image_cache_stall_time")?,
            node_name: if driver == "centralized_db" {
                let name = default.text("worker_self_reference_url")?;
                Some(name.unwrap_or_else(machine_name))
            } else {
                None
            },
            index_file: match index.file_name() {
                Some(name) if driver == "xattr" => hidden_index().with_file_name(name),
                _ => index,
            },
            min_free_space: ours.size("min_free_space")?,
            prefetch_workers: ours.number("prefetch_workers")?,
            queue_settle: ours.seconds("queue_settle")?,
            prune_schedule: schedule("prune_schedule")?,
            clean_schedule: schedule("clean_schedule")?,
            // The table of options lets nothing else pass.
            eviction: Eviction::parse(&ours.string("eviction")?).unwrap_or(Eviction::S3Fifo),
            low_water: ours.number("low_water")?,
            ttl: Some(ours.seconds("ttl")?).filter(|life| !life.is_zero()),
            verify: Verify::parse(&ours.string("verify")?).unwrap_or(Verify::Changed),
            sweep_rate: ours.rate("sweep_rate")?,
            sweep_period: ours.seconds("sweep_period")?,
            peers: if ours.flag("peers")? {
                Some(PeersConfig {
                    ca_file: ours.path("peer_ca_file")?,
                    timeout: ours.seconds("peer_timeout")?,
                })
            } else {
                None
            },
            fill_on_range: FillOnRange::parse(&ours.string("fill_on_range")?)
                .unwrap_or(FillOnRange::Never),
            rules: PrefetchRule::all(settings)?,
        }))
    }
}

/// Where the index stands for the driver `xattr`, which takes every file at the top for an image.
#[must_use]
pub fn hidden_index() -> PathBuf {
    PathBuf::from(".glance/cache.db")
}

fn machine_name() -> String {
    let machine = rustix::system::uname();
    machine.nodename().to_string_lossy().into_owned()
}
