//! What went wrong in the original once, tried here: each test is an attack, and is named after the report.

mod amounts;
mod data;
mod places;

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use walkdir::WalkDir;

fn formats() -> Value {
    json!({"disk_format": "raw", "container_format": "bare"})
}

/// How many files a directory holds, anywhere in it.
fn files_in(dir: &std::path::Path) -> usize {
    let entries = WalkDir::new(dir).into_iter().flatten();
    entries.filter(|entry| entry.file_type().is_file()).count()
}

/// Waits for what must come.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting);
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A body that has what is sent, and ends when nobody sends any more.
pub(super) fn waiting() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let chunks = futures_util::stream::unfold(receiver, async |mut receiver| {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    (sender, Body::from_stream(Box::pin(chunks)))
}
