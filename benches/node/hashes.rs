//! What one core hashes of what an upload needs: md5 and sha512.

use std::process::Command;
use std::time::Instant;

use digest::Digest;

use crate::{http, per_second};

/// The same by OpenSSL, through Python: bytes per second of both.
const SCRIPT: &str = "\
import hashlib, sys, time
piece, rounds = bytes(8 << 20), int(sys.argv[1]) >> 23
for name in 'md5', 'sha512':
    digest, start = hashlib.new(name), time.perf_counter()
    for _ in range(rounds):
        digest.update(piece)
    print(rounds * len(piece) / (time.perf_counter() - start))
";

/// Bytes per second of the slower one.
pub fn slower(piece: &[u8], size: u64) -> f64 {
    rate::<md5::Md5>(piece, size).min(rate::<sha2::Sha512>(piece, size))
}

/// The same of OpenSSL; none where there is no Python to ask it.
pub fn openssl(size: u64) -> Option<f64> {
    let mut python = Command::new("python3");
    let ran = python.args(["-c", SCRIPT, &size.to_string()]).output();
    let text = String::from_utf8(ran.ok()?.stdout).ok()?;
    let rates = text.lines().filter_map(|line| line.parse().ok());
    rates.reduce(f64::min)
}

fn rate<D: Digest>(piece: &[u8], size: u64) -> f64 {
    let start = Instant::now();
    let mut hash = D::new();
    for part in http::parts(piece, size) {
        hash.update(part);
    }
    std::hint::black_box(hash.finalize());
    per_second(size, start)
}
