//! Locations that move, and the tasks that move them.

use serde_json::json;

use super::*;
use crate::db::Error;
use crate::domain::location::Moves;
use crate::domain::task::{Task, TaskEnd};

async fn with_two() -> (Scratch, Image) {
    let db = Scratch::new().await;
    let image = db
        .add(Image {
            locations: vec![location("one"), location("two")],
            ..image(1)
        })
        .await;
    (db, image)
}

const ROWS: &str = "SELECT CONCAT(value, ' ', status, CASE WHEN deleted THEN ' 1' ELSE ' 0' END) AS answer \
    FROM image_locations ORDER BY id";

#[tokio::test]
async fn data_moves_from_where_it_is_expected_or_not_at_all() {
    let (db, image) = with_two().await;
    let moves = Moves {
        from: vec![location("two"), location("one")],
        removed: vec![location("one")],
        removed_as: Some(Status::PendingDelete),
        added: vec![location("three")],
    };
    let mut active = image.clone();
    active.status = Status::Active;
    let written = db
        .update_and_move(&active, Status::Queued, Some(&moves))
        .await;
    let written = written.unwrap();
    assert_eq!(written.status, Status::Active);
    assert_eq!(written.locations, [location("two"), location("three")]);
    let rows = [
        "file:///images/one pending_delete 1",
        "file:///images/two active 0",
        "file:///images/three active 0",
    ];
    assert_eq!(db.ask(ROWS).await, rows);

    active.name = Some("not written".to_owned());
    let late = db
        .update_and_move(&active, Status::Active, Some(&moves))
        .await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    let late = db
        .move_locations(image.id, Status::Active, &moves, at(5))
        .await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    assert_eq!(db.ask(ROWS).await, rows);
    assert_eq!(db.image(image.id).await.unwrap(), Some(written));
}

#[tokio::test]
async fn notes_change_in_the_rows_that_they_are_in() {
    let (db, image) = with_two().await;
    let mut renamed = location("one");
    renamed.metadata = [("store".to_owned(), "cheap".into())].into();
    let notes = [(location("one"), renamed.clone())];
    db.note_locations(image.id, &notes, at(9)).await.unwrap();
    let written = db.image(image.id).await.unwrap().unwrap();
    assert_eq!(written.locations, [renamed, location("two")]);
    assert_eq!(written.updated_at, at(9));
    let again = db.note_locations(image.id, &notes, at(10)).await;
    assert!(matches!(again, Err(Error::Gone(_))), "{again:?}");
    assert_eq!(db.image(image.id).await.unwrap(), Some(written));
}

#[tokio::test]
async fn an_image_is_locked_by_one_task_until_that_gives_it_back() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await.id;
    let task = || Task::pending("location_import", image, ALICE, json!({"a": 1}), at(1));
    let (first, second) = (task(), task());
    assert!(db.create_task_with_lock(image, &first).await.unwrap());
    assert!(!db.create_task_with_lock(image, &second).await.unwrap());
    assert!(!db.unlock_image(image, &second.stub.id).await.unwrap());
    assert!(db.unlock_image(image, &first.stub.id).await.unwrap());
    assert!(db.create_task_with_lock(image, &second).await.unwrap());

    // A lock that was marked as deleted leaves its row, which lives again.
    db.run("UPDATE image_properties SET deleted = TRUE".to_owned())
        .await;
    let third = task();
    assert!(db.create_task_with_lock(image, &third).await.unwrap());
    let ids: Vec<_> = { db.tasks_of(image, at(2)).await.unwrap() }
        .into_iter()
        .map(|task| task.stub.id)
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&third.stub.id));
}

#[tokio::test]
async fn a_task_begins_once_ends_once_and_is_forgotten() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await.id;
    let task = Task::pending("location_import", image, ALICE, json!({"a": 1}), at(1));
    let name = &task.stub.id;
    assert!(db.create_task_with_lock(image, &task).await.unwrap());
    assert_eq!(db.task(name).await.unwrap(), Some(task.clone()));
    assert!(db.begin_task(name, at(2)).await.unwrap());
    assert!(!db.begin_task(name, at(2)).await.unwrap());
    let done = TaskEnd::Success(json!({"b": 2}));
    db.end_task(name, &done, at(3), at(100)).await.unwrap();
    let late = TaskEnd::Failure("too late".to_owned());
    db.end_task(name, &late, at(4), at(200)).await.unwrap();
    let ended = db.tasks_of(image, at(100)).await.unwrap();
    let [ended] = &ended[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(
        (ended.stub.status.as_str(), &ended.result),
        ("success", &Some(json!({"b": 2})))
    );
    assert_eq!(
        (ended.stub.expires_at, ended.message.as_deref()),
        (Some(at(100)), Some(""))
    );
    assert!(db.tasks_of(image, at(101)).await.unwrap().is_empty());
}
