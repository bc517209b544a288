//! What was seen in a run.

use std::collections::BTreeMap;
use std::sync::Mutex;

#[derive(Debug, Default)]
pub struct Notes {
    seen: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
}

impl Notes {
    pub fn saw(&self, what: &str) {
        self.count(what, 1);
    }

    /// The same for so many of them, and be it none.
    pub fn count(&self, what: &str, times: u64) {
        let mut seen = self.seen.lock().expect("no thread died");
        *seen.entry(what.to_owned()).or_default() += times;
    }

    /// Something that must not be.
    pub fn complain(&self, told: String) {
        self.wrong.lock().expect("no thread died").push(told);
    }

    pub fn complaint(&self) -> Option<String> {
        self.wrong.lock().expect("no thread died").pop()
    }

    /// What was seen so far.
    pub fn told(&self) -> String {
        let seen = self.seen.lock().expect("no thread died");
        let told: Vec<String> = seen
            .iter()
            .map(|(what, times)| format!("{what}: {times}"))
            .collect();
        told.join(", ")
    }
}
