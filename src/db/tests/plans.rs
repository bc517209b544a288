//! How SQLite finds the images of a page: the cost must not grow with the table.

use sqlx::{QueryBuilder, Row as _};

use super::*;
use crate::db::dialect::Engine;
use crate::db::filter::Source;
use crate::db::list::{Value, push_page};
use crate::domain::query::{
    Direction, Filter, ImageQuery, SortKey, Viewer, VisibilityFilter, total_order,
};

/// The plan of a page, a line per step.
async fn plan(db: &Db, query: &ImageQuery, after: &[Value], few: &[Source]) -> String {
    let order = total_order(&query.sort, Direction::Desc);
    let mut sql = QueryBuilder::<Engine>::new("EXPLAIN QUERY PLAN ");
    push_page(&mut sql, query, &order, after, few).unwrap();
    let mut db = db.link.read().await.unwrap();
    let steps = sql.build().fetch_all(&mut *db).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
    steps.join("\n")
}

fn second_page() -> [Value; 2] {
    [
        Value::Text("2024-10-04 00:00:07.000000".to_owned()),
        Value::Text(id(7).to_string()),
    ]
}

#[tokio::test]
async fn the_usual_list_is_a_walk_along_an_index() {
    let db = Scratch::new().await;
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
            for filters in [vec![], vec![Filter::Text("owner", alice())]] {
                let query = ImageQuery {
                    viewer: viewer.clone(),
                    visibility,
                    filters,
                    ..ImageQuery::default()
                };
                let first = plan(&db, &query, &[], &[]).await;
                assert!(
                    first.starts_with("SCAN images USING INDEX created_at_image_idx"),
                    "{query:?}\n{first}"
                );
                let second = plan(&db, &query, &second_page(), &[]).await;
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
    let db = Scratch::new().await;
    for (key, index) in [
        (SortKey::UpdatedAt, "updated_at_image_idx"),
        (SortKey::Id, "sqlite_autoindex_images_1"),
    ] {
        for direction in [Direction::Asc, Direction::Desc] {
            let query = ImageQuery {
                sort: vec![(key, direction)],
                ..ImageQuery::default()
            };
            let plan = plan(&db, &query, &[], &[]).await;
            assert!(
                plan.contains(&format!("SCAN images USING INDEX {index}")),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{plan}");
        }
    }
}

#[tokio::test]
async fn few_images_are_gathered_by_the_indexes_that_find_them() {
    let db = Scratch::new().await;
    let query = ImageQuery {
        viewer: Viewer::Project(ALICE.to_owned()),
        ..ImageQuery::default()
    };
    let few = [
        Source::Of(Visibility::Public),
        Source::OwnedBy(ALICE.to_owned()),
        Source::SharedWith(ALICE.to_owned()),
        Source::Hidden,
    ];
    for after in [&[][..], &second_page()] {
        let plan = plan(&db, &query, after, &few).await;
        assert!(
            plan.starts_with("SEARCH images USING INDEX sqlite_autoindex_images_1 (id=?)"),
            "{plan}"
        );
        for index in [
            "visibility_image_idx",
            "owner_image_idx",
            "os_hidden_image_idx",
        ] {
            assert!(plan.contains(index), "{plan}");
        }
        assert!(!plan.contains("SCAN images"), "{plan}");
    }
}
