use std::fs;

use super::*;
use crate::db::Error;

fn away(result: Result<(), Error>) -> bool {
    match result {
        Ok(()) => false,
        Err(Error::Unavailable(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_database_that_goes_away_is_found_again() {
    let scratch = Scratch::file().await;
    scratch.add(image(1)).await;
    let (here, elsewhere) = (
        scratch.dir.path().join("state"),
        scratch.dir.path().join("away"),
    );
    fs::rename(&here, &elsewhere).unwrap();
    assert!(away(scratch.ping().await));
    assert!(away(scratch.create_image(&image(2)).await));
    assert!(!here.exists(), "what is away is not made anew");
    fs::rename(&elsewhere, &here).unwrap();
    scratch.ping().await.unwrap();
    assert!(scratch.image(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn another_file_in_its_place_is_the_database_from_then_on() {
    let scratch = Scratch::file().await;
    scratch.add(image(1)).await;
    fs::remove_dir_all(scratch.dir.path().join("state")).unwrap();
    assert!(away(scratch.ping().await));
    fs::create_dir(scratch.dir.path().join("state")).unwrap();
    scratch.other().await.create_image(&image(2)).await.unwrap();
    assert_eq!(scratch.image(id(1)).await.unwrap(), None);
    assert!(scratch.image(id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_start_without_a_database_goes_on_until_there_is_one() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("state"), "in the way").unwrap();
    let db = Db::open(&config(&dir.path().join("state/glance.db")))
        .await
        .unwrap();
    assert!(away(db.ping().await));
    fs::remove_file(dir.path().join("state")).unwrap();
    assert!(
        away(db.ping().await),
        "a directory that is missing may be a disk that is not mounted"
    );
    fs::create_dir(dir.path().join("state")).unwrap();
    db.ping().await.unwrap();
    db.create_image(&image(1)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_failure() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("glance.db");
    fs::write(&file, "no database ".repeat(100)).unwrap();
    assert!(matches!(
        Db::open(&config(&file)).await,
        Err(Error::Failed(_))
    ));
}

#[tokio::test]
async fn a_database_held_by_others_is_not_available() {
    let scratch = Scratch::file().await;
    let hasty = DatabaseConfig::at(format!(
        "sqlite:///{}?timeout=0.01",
        scratch.path().display()
    ));
    let hasty = Db::open(&hasty).await.unwrap();
    let held = scratch.link.pool().await.unwrap().begin().await.unwrap();
    assert!(away(hasty.create_image(&image(1)).await));
    hasty.ping().await.unwrap();
    held.commit_with(()).await.unwrap();
    hasty.create_image(&image(1)).await.unwrap();
}

#[tokio::test]
async fn a_clean_end_leaves_one_file() {
    let scratch = Scratch::file().await;
    scratch.add(image(1)).await;
    scratch.close().await;
    let left: Vec<_> = fs::read_dir(scratch.dir.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["glance.db"]);
    assert!(away(scratch.ping().await));
    assert!(scratch.other().await.image(id(1)).await.unwrap().is_some());
}
