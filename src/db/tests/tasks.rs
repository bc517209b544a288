//! Pages of tasks.

use super::*;
use crate::domain::task_stub::TaskListing;

/// Three tasks a minute apart, the second of another project, and a deleted one.
async fn with_tasks() -> Scratch {
    let db = Scratch::new().await;
    for (n, owner, status, deleted) in [
        (1, ALICE, "success", false),
        (2, BOB, "pending", false),
        (3, ALICE, "success", false),
        (4, ALICE, "success", true),
    ] {
        db.run(format!(
            "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted) VALUES \
             ('00000000-0000-4000-8000-00000000000{n}', 'api_image_import', '{status}', '{owner}', \
             '2026-01-31 12:0{n}:00', NULL, {deleted})"
        ))
        .await;
    }
    db
}

/// The last digits of the ids on a page.
async fn page(db: &Scratch, query: &[(&str, &str)], owner: Option<&str>) -> Option<String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let query: Vec<_> = query.iter().map(own).collect();
    let listing = TaskListing::read(&query).unwrap();
    let tasks = db.task_stubs(&listing, owner, 2).await.unwrap()?;
    Some(tasks.iter().map(|task| &task.id[35..]).collect())
}

#[tokio::test]
async fn the_newest_tasks_come_first_page_by_page() {
    let db = with_tasks().await;
    let marker = |n: u8| format!("00000000-0000-4000-8000-00000000000{n}");
    assert_eq!(page(&db, &[], None).await.as_deref(), Some("32"));
    let next = [("marker", &*marker(2))];
    assert_eq!(page(&db, &next, None).await.as_deref(), Some("1"));
    assert_eq!(page(&db, &[("marker", &*marker(4))], None).await, None);
    let by_status = [("sort_key", "status"), ("sort_dir", "asc")];
    assert_eq!(page(&db, &by_status, None).await.as_deref(), Some("21"));
}

#[tokio::test]
async fn tasks_are_found_by_their_columns_and_projects_see_their_own() {
    let db = with_tasks().await;
    let pending = [("status", "pending")];
    assert_eq!(page(&db, &pending, None).await.as_deref(), Some("2"));
    assert_eq!(page(&db, &pending, Some(ALICE)).await.as_deref(), Some(""));
    assert_eq!(page(&db, &[], Some(ALICE)).await.as_deref(), Some("31"));
}
