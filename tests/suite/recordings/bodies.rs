//! What is sent and served: JSON, texts, and noise that everybody can make again.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fixtures::Fixture;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    Json(Value),
    Text(String),
    Hex(String),
    Bytes { seed: u64, size: usize },
    Fixture(Fixture),
}

impl Body {
    /// The keys of a step of which one may be there.
    pub(super) const KINDS: [&str; 5] = ["json", "text", "hex", "bytes", "fixture"];

    /// What goes over the wire, and as which type unless the step says otherwise.
    pub(super) fn sent(&self) -> (Vec<u8>, &'static str) {
        const JSON: &str = "application/json";
        const DATA: &str = "application/octet-stream";
        match self {
            Self::Json(value) => (value.to_string().into(), JSON),
            Self::Text(text) => (text.clone().into(), JSON),
            Self::Hex(digits) => (bytes_of(digits), JSON),
            Self::Bytes { seed, size } => (noise(*seed, *size), DATA),
            Self::Fixture(fixture) => (fixture.data(), DATA),
        }
    }
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// SHA-256 of `SEED:0`, `SEED:1` and so on, one after the other.
pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let blocks = (0..size.div_ceil(32)).map(|block| Sha256::digest(format!("{seed}:{block}")));
    let mut data: Vec<u8> = blocks.flatten().collect();
    data.truncate(size);
    data
}
