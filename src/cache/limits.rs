//! How much the cache may take.

/// How much the cache may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all copies, whole and growing.
    pub max_size: u64,
    /// Bytes that the disk keeps free.
    pub min_free: u64,
    /// When somebody has to leave, others do so too until so many hundredths of `max_size` are left.
    pub low_water: u8,
}

impl Limits {
    /// Bytes that are left when somebody had to leave.
    pub fn low(&self) -> u64 {
        let low = u128::from(self.max_size) * u128::from(self.low_water) / 100;
        u64::try_from(low).map_or(self.max_size, |low| low.min(self.max_size))
    }
}
