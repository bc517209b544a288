//! Beside the original: its schema, its rows.

use super::*;
use crate::domain::query::{ImageQuery, Viewer, VisibilityFilter};
use crate::domain::{Member, MemberStatus};

/// `PRAGMA table_info`, `index_list` and `foreign_key_list` of the original's database.
const SCHEMA: &str = include_str!("../../../tests/data/db/schema.tsv");
/// A database that the original wrote.
const WRITTEN: &str = include_str!("../../../tests/data/db/original.sql");

async fn facts(db: &Db) -> String {
    let mut db = db.link.read().await.unwrap();
    let rows = query(
        "SELECT 'column' || char(9) || t.name || char(9) || c.name || char(9) || c.type || char(9) || \
         iif(c.\"notnull\", 'not null', 'null') || char(9) || coalesce(c.dflt_value, '-') || char(9) || c.pk AS fact \
         FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' \
         UNION ALL \
         SELECT 'index' || char(9) || t.name || char(9) || i.name || char(9) || \
         iif(i.\"unique\", 'unique', 'plain') || char(9) || \
         (SELECT group_concat(name, ',' ORDER BY seqno) FROM pragma_index_info(i.name)) \
         FROM sqlite_master AS t, pragma_index_list(t.name) AS i WHERE t.type = 'table' \
         UNION ALL \
         SELECT 'foreign key' || char(9) || t.name || char(9) || k.\"from\" || char(9) || k.\"table\" || char(9) || \
         k.\"to\" FROM sqlite_master AS t, pragma_foreign_key_list(t.name) AS k WHERE t.type = 'table'",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    sorted(rows.iter().map(|row| row.get("fact").unwrap()))
}

fn sorted(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The database that the original wrote, opened by us.
async fn written() -> Scratch {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("state/glance.db");
    std::fs::create_dir(dir.path().join("state")).unwrap();
    let original = rusqlite::Connection::open(&file).unwrap();
    original.execute_batch(WRITTEN).unwrap();
    original.close().unwrap();
    Scratch::in_dir(dir, Database::file(&file)).await
}

#[tokio::test]
async fn a_new_database_has_the_schema_of_the_original() {
    let db = Scratch::file().await;
    assert_eq!(facts(&db).await, sorted(SCHEMA.lines().map(str::to_owned)));
    let revision = db
        .ask("SELECT version_num AS answer FROM alembic_version")
        .await;
    assert_eq!(revision, ["2024_1_contract01"]);
}

#[tokio::test]
async fn a_database_of_the_original_is_opened_as_it_is() {
    let db = written().await;
    assert_eq!(facts(&db).await, sorted(SCHEMA.lines().map(str::to_owned)));
    let revision = db
        .ask("SELECT version_num AS answer FROM alembic_version")
        .await;
    assert_eq!(revision, ["2024_1_contract01"]);
}

#[tokio::test]
async fn images_of_the_original_are_read_right() {
    let db = written().await;
    let everything = Image {
        id: id(2),
        name: Some("everything ü".to_owned()),
        status: Status::Active,
        disk_format: Some("qcow2".to_owned()),
        container_format: Some("bare".to_owned()),
        size: Some(1000),
        virtual_size: Some(1000),
        checksums: Checksums {
            md5: Some("0123456789abcdef0123456789abcdef".to_owned()),
            secure: Some(SecureHash {
                algorithm: HashAlgorithm::Sha512,
                value: "ab".repeat(64),
            }),
            announced: None,
        },
        min_disk: 3,
        min_ram: 256,
        protected: true,
        created_at: "2026-11-21T10:27:10.584602Z".parse().unwrap(),
        updated_at: "2026-11-21T10:27:10.766510Z".parse().unwrap(),
        properties: [
            ("os_distro".to_owned(), Some("debian".to_owned())),
            ("note".to_owned(), Some("say \"hi\"\\n".to_owned())),
            ("back".to_owned(), Some("2".to_owned())),
        ]
        .into(),
        tags: vec!["big".to_owned(), "blue".to_owned()],
        locations: vec![Location {
            url: "file:///var/lib/glance/images/00000000-0000-4000-8000-000000000002".to_owned(),
            ..location("")
        }],
        ..image(2)
    };
    assert_eq!(db.image(id(2)).await.unwrap(), Some(everything));

    let states = [
        (1, Some(Status::Queued)),
        (3, Some(Status::Active)),
        (6, Some(Status::Deactivated)),
        (7, None),
        (8, Some(Status::Killed)),
    ];
    for (number, state) in states {
        let found = db.image(id(number)).await.unwrap();
        assert_eq!(found.map(|image| image.status), state, "{number}");
    }
    let two = db.image(id(4)).await.unwrap().unwrap();
    let stores: Vec<_> = two
        .locations
        .iter()
        .map(|one| &one.metadata["store"])
        .collect();
    assert_eq!(stores, ["fast", "cheap"]);
    assert_eq!(two.size, Some(5 << 30));
    assert_eq!(db.image(id(9)).await.unwrap().unwrap().owner, None);
}

#[tokio::test]
async fn members_of_the_original_are_read_right() {
    let db = written().await;
    let members = db.members(id(5)).await.unwrap();
    let answers: Vec<_> = members
        .iter()
        .map(|Member { member, status, .. }| (member.as_str(), *status))
        .collect();
    let dora = "d".repeat(32);
    assert_eq!(
        answers,
        [
            (ALICE, MemberStatus::Accepted),
            (dora.as_str(), MemberStatus::Pending)
        ]
    );
}

#[tokio::test]
async fn a_list_of_the_original_is_what_it_lists() {
    let db = written().await;
    let list = async |query: ImageQuery| -> Vec<u32> {
        let page = db
            .images(&ImageQuery { limit: 25, ..query })
            .await
            .unwrap()
            .unwrap();
        page.iter()
            .map(|image| image.id.as_str()[24..].parse().unwrap())
            .collect()
    };
    let alice = || ImageQuery {
        viewer: Viewer::Project(ALICE.to_owned()),
        member_status: Some(MemberStatus::Accepted),
        ..ImageQuery::default()
    };
    assert_eq!(list(alice()).await, [9, 6, 5, 2, 1]);
    let all = ImageQuery {
        visibility: VisibilityFilter::All,
        ..alice()
    };
    assert_eq!(list(all).await, [9, 6, 5, 4, 2, 1]);
    let hidden = ImageQuery {
        hidden: true,
        ..alice()
    };
    assert_eq!(list(hidden).await, [3]);
    assert_eq!(list(ImageQuery::default()).await, [9, 6, 5, 2, 1]);
}
