//! What comes after a crash, and what does not come of a mistake.

use std::path::Path;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use glance::config::paste::Filter;
use glance::config::{CacheConfig, Config};
use glance::db;
use glance::domain::{ImageId, Status};
use glance::ops::download::Source;
use tokio_util::sync::CancellationToken;

use super::{administrator, assemble, config, eventually, image, service, stored};
use crate::support::Database;

fn with_cache(dir: &Path, filters: Vec<Filter>) -> Config {
    let mut config = config(dir);
    config.pipeline.filters = filters;
    config.cache = Some(CacheConfig {
        max_size: 1_000_000,
        ..CacheConfig::at(dir.join("cache"))
    });
    config
}

/// Downloads all of an image twice, and says where the second one came from.
async fn second_source(filters: Vec<Filter>) -> Source {
    let dir = tempfile::tempdir().unwrap();
    let glance = assemble(with_cache(dir.path(), filters)).await;
    let id = image(&glance, "raw").await;
    let bytes = stream::iter([Ok(Bytes::from_static(b"bytes"))]).boxed();
    let caller = administrator();
    glance.upload(&caller, id, bytes, None).await.unwrap();
    let mut source = None;
    for _ in 0..2 {
        let download = glance.download(&caller, id, None).await.unwrap();
        source = Some(download.source);
        let parts: Vec<_> = download.blob.unwrap().bytes.collect().await;
        let parts: Result<Vec<Bytes>, _> = parts.into_iter().collect();
        assert_eq!(parts.unwrap().concat(), b"bytes");
        let cache = glance.cache.as_ref().unwrap();
        if glance.config.pipeline.caches() {
            eventually(async || !cache.entries().await.unwrap().is_empty()).await;
        } else {
            assert!(cache.entries().await.unwrap().is_empty());
        }
    }
    glance.cache.as_ref().unwrap().close().await;
    source.unwrap()
}

#[tokio::test]
async fn downloads_go_through_the_cache_where_the_pipeline_says_so() {
    assert_eq!(second_source(vec![Filter::Cache]).await, Source::Cache);
}

#[tokio::test]
async fn downloads_go_past_the_cache_where_the_pipeline_has_no_cache_filter() {
    assert_eq!(second_source(Vec::new()).await, Source::Store);
}

#[tokio::test]
async fn an_image_whose_upload_was_cut_off_by_a_crash_waits_for_data_again() {
    let dir = tempfile::tempdir().unwrap();
    let id = {
        let glance = service(dir.path()).await;
        let id = image(&glance, "raw").await;
        let now = glance.clock.now();
        let saving = glance
            .db
            .set_status(id, &[Status::Queued], Status::Saving, now);
        saving.await.unwrap();
        id
    };
    // What a process that is killed leaves: the file, and nobody who holds its lock.
    let part = dir.path().join(format!("images/.{id}.4711.part"));
    std::fs::write(&part, b"half of it").unwrap();

    let glance = service(dir.path()).await;
    let stop = CancellationToken::new();
    glance.take_back_interrupted(stop).await;
    assert_eq!(
        glance.db.image(id).await.unwrap().unwrap().status,
        Status::Queued
    );
    assert!(!part.exists());
}

#[tokio::test]
async fn an_upload_that_fails_while_the_database_is_away_is_taken_back_when_it_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.database.connection += "?timeout=0.2";
    let glance = assemble(config).await;
    let id = image(&glance, "raw").await;
    let (break_off, broken) = tokio::sync::oneshot::channel::<()>();
    let begin = stream::iter([Ok(Bytes::from_static(b"begin"))]);
    let rest = stream::once(async { Err(std::io::Error::other(broken.await.unwrap_err())) });
    let bytes = begin.chain(rest).boxed();
    let upload = {
        let glance = glance.clone();
        tokio::spawn(async move { glance.upload(&administrator(), id, bytes, None).await })
    };
    eventually(async || stored(dir.path()) == 1).await;
    let held = Database::file(&dir.path().join("glance.db")).hold();
    drop(break_off);
    upload.await.unwrap().unwrap_err();
    let status = async || glance.db.image(id).await.unwrap().unwrap().status;
    assert_eq!(status().await, Status::Saving);
    drop(held);
    eventually(async || status().await == Status::Queued).await;
    assert_eq!(stored(dir.path()), 0);
}

#[tokio::test]
async fn a_wish_for_an_image_that_the_database_never_knew_stays() {
    let dir = tempfile::tempdir().unwrap();
    let glance = assemble(with_cache(dir.path(), vec![Filter::Cache])).await;
    let cache = glance.cache.clone().unwrap();
    let (unknown, deleted) = (ImageId::random(), image(&glance, "raw").await);
    let now = glance.clock.now();
    glance.db.delete_image(deleted, now).await.unwrap();
    // The unknown one is first in the queue: when the other has left it, it has had its turn.
    assert!(cache.queue(unknown).await.unwrap());
    assert!(cache.queue(deleted).await.unwrap());

    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let (glance, stop) = (glance.clone(), stop.clone());
        async move { glance.prefetch(stop).await }
    });
    eventually(async || !cache.queued().await.unwrap().contains(&deleted)).await;
    assert_eq!(cache.queued().await.unwrap(), [unknown]);
    stop.cancel();
    working.await.unwrap();
    cache.close().await;
}

#[tokio::test]
async fn no_database_is_made_where_its_directory_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    let away = dir.path().join("not-mounted");
    config.database.connection = format!("sqlite:///{}", away.join("glance.db").display());
    let glance = assemble(config).await;
    let asked = glance.db.ping().await;
    assert!(matches!(asked, Err(db::Error::Unavailable(_))), "{asked:?}");
    assert!(!away.exists());

    std::fs::create_dir(&away).unwrap();
    glance.db.ping().await.unwrap();
}
