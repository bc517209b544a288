//! How many files the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as it may: a download has two, its connection and its copy, and shells hand out a thousand.
pub fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(
            open_files = limit.current,
            "no more open files are allowed: {error}"
        );
    }
}
