//! What strangers write is read here, whatever it is: no input may cause a panic, take long or much memory.
//!
//! Each function takes one input. The fuzzer looks for inputs, and the tests of the crate replay those that
//! are kept under `seeds/`.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use glance::clock::Clock;
use glance::config::{self, Config, PolicyConfig, Program, Sources};
use glance::domain::draft::Draft;
use glance::domain::listing::Listing;
use glance::domain::patch::{self, Dialect};
use glance::domain::schema::{Schema, documents};
use glance::domain::{Caller, Image};
use glance::inspect::{Found, Inspector};
use glance::policy::{ImageFacts, Policy};
use glance::server::extract::range::{parse, parse_content};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The most that an inspection may keep: the longest description, and some headers.
const KEPT: usize = (1 << 20) + 4096;

/// Disk images are sparse, and so are inputs that stand for them: see [`unpack`].
const LONGEST_IMAGE: usize = 4 << 20;

/// What data is found to be, in one piece and in several.
pub fn inspect(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let image = unpack(rest);
    let whole = find(&image, image.len().max(1));
    let pieces = find(&image, 64 + 257 * usize::from(*first));
    assert_eq!(whole, pieces, "what is found depends on the pieces");
    assert!(!whole.is_empty(), "it must be something");
}

fn find(image: &[u8], piece: usize) -> Vec<Found> {
    let mut inspector = Inspector::new();
    for piece in image.chunks(piece) {
        inspector.eat(piece);
        assert!(inspector.held() <= KEPT, "{} bytes kept", inspector.held());
    }
    inspector.finish()
}

/// Makes an image of an input: again and again a number of zeros (four bytes), a length (two bytes) and as
/// many bytes.
fn unpack(mut input: &[u8]) -> Vec<u8> {
    let mut image = Vec::new();
    while let Some((numbers, rest)) = input.split_first_chunk::<6>() {
        let [a, b, c, d, low, high] = *numbers;
        let zeros = u32::from_le_bytes([a, b, c, d]) as usize;
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        if zeros + length > LONGEST_IMAGE - image.len() {
            break;
        }
        let (bytes, rest) = rest.split_at(length);
        image.resize(image.len() + zeros, 0);
        image.extend_from_slice(bytes);
        input = rest;
    }
    image
}

/// A configuration file, and what is printed of it.
pub fn config(input: &[u8]) {
    // Other files are not read for it.
    if input.windows(6).any(|word| word == b"config") {
        return;
    }
    let sources = Sources {
        files: vec![file("glance-api.conf", input)],
        environment: [].into(),
        ..Sources::new(Program::Api)
    };
    if let Ok(loaded) = Config::load(&sources) {
        config::summary(&loaded);
        config::print(&loaded).expect("what was read can be printed");
    }
}

/// A policy file, and what its rules say about an image.
pub fn policy(input: &[u8]) {
    // Nor are other servers asked.
    if input
        .windows(4)
        .any(|word| word.eq_ignore_ascii_case(b"http"))
    {
        return;
    }
    let config = PolicyConfig {
        file: Some(file("policy.yaml", input)),
        ..PolicyConfig::default()
    };
    let Ok(policy) = Policy::load(&config) else {
        return;
    };
    let caller = Caller {
        roles: vec!["member".to_owned()],
        project_id: Some("project".to_owned()),
        ..Caller::default()
    };
    let image = image();
    for action in ["get_image", "add_image", "default", "none"] {
        now(policy.allows(&caller, action, &ImageFacts::new(&image, &caller)));
    }
    now(policy.is_admin(&caller));
}

/// What waits for nothing.
fn now(answer: impl Future<Output = bool>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(answer).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a rule waits for something"),
    }
}

/// A document of changes, and the image after them.
pub fn patch(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let Ok(document) = serde_json::from_slice::<Value>(rest) else {
        return;
    };
    let dialect = match first % 2 {
        0 => Dialect::Draft10,
        _ => Dialect::Draft4,
    };
    let mut image = image();
    if let Ok(changes) = patch::read(&document, dialect, &schema()) {
        // One that cannot be made is the end of all of them.
        let _ = changes
            .into_iter()
            .try_for_each(|change| change.apply(&mut image));
    }
}

/// The parameters of a list.
pub fn query(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let parameters: Vec<(String, String)> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Ok(listing) = Listing::read(&parameters) {
        let _ = listing.query(&Caller::default());
        assert!(listing.page_size(25, 1000) <= 1000, "a page has a limit");
    }
}

/// A range header of either kind.
pub fn range(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for requested in [parse(&text), parse_content(&text)].into_iter().flatten() {
        for size in [0, 1, 1000, u64::MAX] {
            if let Ok(range) = requested.resolve(size) {
                assert!(range.start <= range.end, "{range:?}");
                assert!(range.end <= size, "{range:?} of {size}");
            }
        }
    }
}

fn schema() -> Schema {
    documents::image(&["raw".to_owned()], &["bare".to_owned()])
}

fn image() -> Image {
    let draft = json!({"name": "image", "disk_format": "raw", "tags": ["a"], "colour": "red"});
    let draft = Draft::read(&draft, &schema()).expect("a draft");
    let now = Clock::system().now();
    draft.into_image(Some("project"), now).expect("an image")
}

thread_local! {
    static DIR: OnceCell<TempDir> = const { OnceCell::new() };
}

/// A file with this content, until the next one of this name.
fn file(name: &str, content: &[u8]) -> PathBuf {
    DIR.with(|dir| {
        let dir: &Path = dir
            .get_or_init(|| tempfile::tempdir().expect("a directory"))
            .path();
        let file = dir.join(name);
        fs::write(&file, content).expect("a file");
        file
    })
}
