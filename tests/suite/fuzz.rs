//! Inputs that fuzzing started from or stumbled over, once more: `just fuzz` looks for new ones.

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// No input may take longer than this on a slow machine, where nobody else is counted.
const LIMIT: Duration = Duration::from_secs(5);

/// What this thread has had of the processor.
fn spent() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(spent).expect("no time before the first")
}

/// Gives every kept input of a target to it: none may panic, and none may take long.
fn replay(name: &str, target: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut replayed = 0;
    for seed in std::fs::read_dir(seeds.join(name)).expect("seeds") {
        let path = seed.expect("a seed").path();
        let input = std::fs::read(&path).expect("an input");
        println!("{}", path.display());
        let start = spent();
        target(&input);
        assert!(
            spent().saturating_sub(start) < LIMIT,
            "{} took long",
            path.display()
        );
        replayed += 1;
    }
    assert!(replayed > 0, "{name} has no seeds");
}

#[test]
fn disk_images_of_every_kind_are_inspected_within_limits() {
    replay("inspect", targets::inspect);
}

#[test]
fn configuration_files_are_read_or_refused() {
    replay("config", targets::config);
}

#[test]
fn policies_are_read_or_refused() {
    replay("policy", targets::policy);
}

#[test]
fn patches_are_made_or_refused() {
    replay("patch", targets::patch);
}

#[test]
fn lists_are_asked_for_or_refused() {
    replay("query", targets::query);
}

#[test]
fn ranges_lie_within_their_images() {
    replay("range", targets::range);
}
