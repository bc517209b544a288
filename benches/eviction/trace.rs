//! What a node is asked for: requests in order, made from what clouds do.

use super::random::Random;

const GIB: f64 = 1_073_741_824.0;
const IMAGES: usize = 600;
const DAYS: usize = 60;
/// Instances that are booted in a day, each from an image.
const BOOTS: usize = 2000;

/// Requests for images, and how large these are.
pub(crate) struct Trace {
    pub name: &'static str,
    pub sizes: Vec<u64>,
    pub requests: Vec<u32>,
    /// Bytes of the images that there are at any time, builds not counted.
    pub library: u64,
}

impl Trace {
    pub(crate) fn all() -> Vec<Trace> {
        vec![boots(), backup(), roll_out(), builds()]
    }

    pub(crate) fn size(&self, image: u32) -> u64 {
        self.sizes[image as usize]
    }
}

/// A cloud: images, and which of them are popular.
struct Cloud {
    random: Random,
    sizes: Vec<u64>,
    /// Images, most popular first.
    ranks: Vec<u32>,
    /// The share of the requests that goes to the first so many ranks.
    shares: Vec<f64>,
    requests: Vec<u32>,
}

impl Cloud {
    fn new(seed: u64) -> Self {
        let mut shares = Vec::new();
        let mut sum = 0.0;
        for rank in 1_u32..=u32::try_from(IMAGES).unwrap_or(0) {
            sum += f64::from(rank).powf(-0.9);
            shares.push(sum);
        }
        let mut cloud = Self {
            random: Random(seed),
            sizes: Vec::new(),
            ranks: Vec::new(),
            shares,
            requests: Vec::new(),
        };
        for _ in 0..IMAGES {
            let image = cloud.image();
            cloud.ranks.push(image);
        }
        cloud
    }

    /// A new image, of a third of a GiB to 20 GiB.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of bytes"
    )]
    fn image(&mut self) -> u32 {
        let size = (self.random.part() * 6.0 - 1.6).exp2() * GIB;
        self.sizes.push(size as u64);
        u32::try_from(self.sizes.len() - 1).unwrap_or(u32::MAX)
    }

    /// An instance is booted from some image.
    fn boot(&mut self) {
        let share = self.random.part() * self.shares[IMAGES - 1];
        let rank = self.shares.partition_point(|sum| *sum <= share);
        self.requests.push(self.ranks[rank.min(IMAGES - 1)]);
    }

    /// Tastes change: some images come into fashion, and others fall back for them.
    fn drift(&mut self) {
        for _ in 0..IMAGES / 50 {
            let image = self.ranks.remove(self.random.below(IMAGES));
            let rank = self.random.below(IMAGES);
            self.ranks.insert(rank, image);
        }
    }

    fn trace(self, name: &'static str) -> Trace {
        Trace {
            name,
            library: self.sizes[..IMAGES].iter().sum(),
            sizes: self.sizes,
            requests: self.requests,
        }
    }
}

/// Every day as the one before, and a little different.
fn boots() -> Trace {
    let mut cloud = Cloud::new(1);
    for _ in 0..DAYS {
        (0..BOOTS).for_each(|_| cloud.boot());
        cloud.drift();
    }
    cloud.trace("daily boots")
}

/// The same, and every night a backup reads every image once, while others go on booting.
fn backup() -> Trace {
    let mut cloud = Cloud::new(2);
    for _ in 0..DAYS {
        (0..BOOTS - IMAGES).for_each(|_| cloud.boot());
        for image in 0..cloud.sizes.len() {
            cloud.requests.push(u32::try_from(image).unwrap_or(0));
            cloud.boot();
        }
        cloud.drift();
    }
    cloud.trace("backup sweep")
}

/// Every third day new versions of some images, popular ones among them, take the place of the old ones.
fn roll_out() -> Trace {
    let mut cloud = Cloud::new(3);
    for day in 0..DAYS {
        (0..BOOTS).for_each(|_| cloud.boot());
        if day % 3 == 2 {
            for step in 0..20 {
                let rank = if step < 8 {
                    step
                } else {
                    cloud.random.below(IMAGES)
                };
                cloud.ranks[rank] = cloud.image();
            }
        }
        cloud.drift();
    }
    cloud.trace("roll-out")
}

/// The same as every day, and pipelines that build images, boot each once to thrice at once, and never again.
fn builds() -> Trace {
    let mut cloud = Cloud::new(4);
    for _ in 0..DAYS {
        for boot in 0..BOOTS {
            cloud.boot();
            if boot % 8 == 0 {
                let built = cloud.image();
                let times = 1 + cloud.random.below(3);
                cloud.requests.extend(std::iter::repeat_n(built, times));
            }
        }
        cloud.drift();
    }
    cloud.trace("image builds")
}
