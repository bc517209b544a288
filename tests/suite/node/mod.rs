//! Whole processes on throw-away state: what holds when the real binaries run, are killed, and share a disk.

mod changes;
mod crash;
mod damage;
mod deleted;
mod everywhere;
mod expiry;
mod faults;
mod fsck;
mod full;
mod http;
mod jobs;
mod leads;
mod limit;
mod mended;
mod metrics;
mod original;
mod peers;
mod process;
mod published;
mod queue;
mod quota;
mod ranges;
mod rules;
mod siblings;
mod site;
mod slow;
mod spans;
mod stampede;
mod stop;
mod stores;
mod throttle;
mod uploads;

use crate::support::eventually;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
