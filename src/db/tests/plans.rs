//! How SQLite finds the images of a page: the cost must not grow with the table.

use super::*;
use crate::db::dialect::{List, Statement, Value};
use crate::db::filter::Source;
use crate::db::list::{Order, counting, page};
use crate::domain::query::{Direction, Filter, ImageQuery, SortKey, Viewer, VisibilityFilter};

/// The plan of a page, a line per step.
async fn plan(db: &Db, query: &ImageQuery, after: &[Value], few: Option<List>) -> String {
    let order = Order::of(query);
    explain(db, page(query, &order, after, few).unwrap()).await
}

async fn explain(db: &Db, statement: Statement) -> String {
    let mut db = db.link.read().await.unwrap();
    let mut sql = query("EXPLAIN QUERY PLAN ");
    sql.append(statement);
    let steps = sql.fetch_all(&mut db).await.unwrap();
    let steps: Vec<String> = steps
        .iter()
        .map(|step| step.get("detail").unwrap())
        .collect();
    steps.join("\n")
}

fn second_page() -> [Value; 2] {
    [at(7).into(), id(7).into()]
}

#[tokio::test]
async fn the_usual_list_is_a_walk_along_an_index() {
    let db = Scratch::file().await;
    let alice = || ALICE.to_owned();
    for viewer in [
        Viewer::Administrator,
        Viewer::AdministratorOf(alice()),
        Viewer::Project(alice()),
        Viewer::Anonymous,
    ] {
        for visibility in [
            VisibilityFilter::Usual,
            VisibilityFilter::All,
            VisibilityFilter::Only(Visibility::Public),
            VisibilityFilter::Only(Visibility::Shared),
        ] {
            for filters in [
                vec![],
                vec![Filter::Text("owner", alice())],
                vec![Filter::Text("name", "web".to_owned())],
                vec![Filter::Text("status", "active".to_owned())],
                vec![Filter::Text("disk_format", "raw".to_owned())],
            ] {
                let query = ImageQuery {
                    viewer: viewer.clone(),
                    visibility,
                    filters,
                    ..ImageQuery::default()
                };
                let first = plan(&db, &query, &[], None).await;
                assert!(
                    first.starts_with("SCAN images USING INDEX created_at_image_idx"),
                    "{query:?}\n{first}"
                );
                let second = plan(&db, &query, &second_page(), None).await;
                assert!(
                    second.starts_with(
                        "SEARCH images USING INDEX created_at_image_idx (created_at<?)"
                    ),
                    "{query:?}\n{second}"
                );
                for plan in [first, second] {
                    // Images of the same microsecond are sorted by their id, nothing else is.
                    assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{plan}");
                }
            }
        }
    }
}

#[tokio::test]
async fn other_orders_with_an_index_are_walks_too() {
    let db = Scratch::file().await;
    for (key, index) in [
        (SortKey::UpdatedAt, "updated_at_image_idx"),
        (SortKey::Id, "sqlite_autoindex_images_1"),
    ] {
        for direction in [Direction::Asc, Direction::Desc] {
            let query = ImageQuery {
                sort: vec![(key, direction)],
                ..ImageQuery::default()
            };
            let plan = plan(&db, &query, &[], None).await;
            assert!(
                plan.contains(&format!("SCAN images USING INDEX {index}")),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{plan}");
        }
    }
}

#[tokio::test]
async fn few_images_are_counted_and_gathered_by_the_indexes_that_find_them() {
    let db = Scratch::file().await;
    let query = ImageQuery {
        viewer: Viewer::Project(ALICE.to_owned()),
        ..ImageQuery::default()
    };
    let sources = [
        (
            Source::Of(Visibility::Public),
            "SEARCH images USING COVERING INDEX visibility_image_idx",
        ),
        (
            Source::OwnedBy(ALICE.to_owned()),
            "SEARCH images USING COVERING INDEX owner_image_idx",
        ),
        (
            Source::Hidden,
            "SEARCH images USING COVERING INDEX os_hidden_image_idx",
        ),
        (
            Source::SharedWith(ALICE.to_owned()),
            "SCAN image_members USING COVERING INDEX ix_image_members_image_id_member",
        ),
    ];
    for (source, expected) in sources {
        let plan = explain(&db, counting(&[source])).await;
        assert!(plan.contains(expected), "{plan}");
    }
    for after in [&[][..], &second_page()] {
        let plan = plan(&db, &query, after, Some(List::texts(&[id(1).as_str()]))).await;
        assert!(
            plan.starts_with("SEARCH images USING INDEX sqlite_autoindex_images_1 (id=?)"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn pages_are_the_same_by_a_walk_and_gathered() {
    let db = Scratch::new().await;
    for number in 0..15 {
        let rows: Vec<String> = (1..=100)
            .map(|n| number * 100 + n)
            .map(|n| {
                let visibility = if n % 2 == 0 { "shared" } else { "public" };
                let owner = if n % 100 == 0 { "y" } else { "x" };
                let (minute, second) = (n / 60, n % 60);
                format!(
                    "('00000000-0000-4000-8000-{n:012}', 'queued', '{visibility}', '{owner}', 0, 0, \
                     '2024-10-04 00:{minute:02}:{second:02}.000000', FALSE)"
                )
            })
            .collect();
        db.run(format!(
            "INSERT INTO images (id, status, visibility, owner, min_disk, min_ram, created_at, deleted) \
             VALUES {}",
            rows.join(", ")
        ))
        .await;
    }
    let page = async |viewer: &str, marker| {
        let query = ImageQuery {
            viewer: Viewer::Project(viewer.to_owned()),
            marker,
            limit: 3,
            ..ImageQuery::default()
        };
        let page = db.images(&query).await.unwrap().unwrap();
        page.iter().map(|image| image.id).collect::<Vec<_>>()
    };
    // "x" sees more than are gathered, "y" fewer.
    assert_eq!(page("x", None).await, [1499, 1498, 1497].map(id));
    assert_eq!(page("x", Some(id(501))).await, [499, 498, 497].map(id));
    assert_eq!(page("y", None).await, [1500, 1499, 1497].map(id));
    assert_eq!(page("y", Some(id(501))).await, [500, 499, 497].map(id));
}
