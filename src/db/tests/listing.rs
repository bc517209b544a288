use super::*;
use crate::db::Error;
use crate::domain::MemberStatus;
use crate::domain::query::{Comparison, Filter, ImageQuery, Viewer, VisibilityFilter};

/// Images of two projects in every visibility, and some shared with Alice.
async fn two_projects() -> Scratch {
    let db = Scratch::new().await;
    let visibilities = [
        Visibility::Public,
        Visibility::Private,
        Visibility::Shared,
        Visibility::Community,
    ];
    for (owner, tens) in [(ALICE, 10), (BOB, 20)] {
        for (number, visibility) in (tens..).zip(visibilities) {
            db.add(Image {
                owner: Some(owner.to_owned()),
                visibility,
                ..image(number)
            })
            .await;
        }
    }
    for (number, status) in [
        (30, MemberStatus::Accepted),
        (31, MemberStatus::Pending),
        (32, MemberStatus::Rejected),
    ] {
        db.add(Image {
            owner: Some(BOB.to_owned()),
            ..image(number)
        })
        .await;
        db.create_member(id(number), ALICE, at(1)).await.unwrap();
        db.set_member_status(id(number), ALICE, status, at(1))
            .await
            .unwrap();
    }
    // Members of what is not shared any more, and those sent away, see nothing.
    db.create_member(id(21), ALICE, at(1)).await.unwrap();
    db.set_member_status(id(21), ALICE, MemberStatus::Accepted, at(1))
        .await
        .unwrap();
    db.create_member(id(22), ALICE, at(1)).await.unwrap();
    db.set_member_status(id(22), ALICE, MemberStatus::Accepted, at(1))
        .await
        .unwrap();
    db.delete_member(id(22), ALICE, at(1)).await.unwrap();
    db
}

async fn numbers(db: &Db, query: ImageQuery) -> Vec<u32> {
    let mut numbers: Vec<u32> = db
        .images(&ImageQuery {
            limit: 100,
            ..query
        })
        .await
        .unwrap()
        .unwrap()
        .iter()
        .map(|image| image.id.as_str()[24..].parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn each_viewer_finds_what_it_may_see_under_each_visibility() {
    use Visibility::{Community, Private, Public, Shared};
    use VisibilityFilter::{All, Only, Usual};
    let db = two_projects().await;
    let alice = Viewer::Project(ALICE.to_owned());
    let stranger = Viewer::Project("nobody".to_owned());
    let root = Viewer::Administrator;
    let alices_root = Viewer::AdministratorOf(ALICE.to_owned());
    let table: [(&Viewer, VisibilityFilter, &[u32]); 21] = [
        (&alice, Usual, &[10, 11, 12, 13, 20, 30]),
        (&alice, All, &[10, 11, 12, 13, 20, 23, 30]),
        (&alice, Only(Public), &[10, 20]),
        (&alice, Only(Private), &[11]),
        (&alice, Only(Shared), &[12, 30]),
        (&alice, Only(Community), &[13, 23]),
        (&stranger, Usual, &[10, 20]),
        (&stranger, All, &[10, 13, 20, 23]),
        (&stranger, Only(Shared), &[]),
        (&stranger, Only(Private), &[]),
        (&root, Usual, &[10, 11, 12, 20, 21, 22, 30, 31, 32]),
        (&root, All, &[10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32]),
        (&root, Only(Public), &[10, 20]),
        (&root, Only(Private), &[11, 21]),
        (&root, Only(Shared), &[12, 22, 30, 31, 32]),
        (&root, Only(Community), &[13, 23]),
        (
            &alices_root,
            Usual,
            &[10, 11, 12, 13, 20, 21, 22, 30, 31, 32],
        ),
        (&Viewer::Anonymous, Usual, &[10, 20]),
        (&Viewer::Anonymous, All, &[10, 13, 20, 23]),
        (&Viewer::Anonymous, Only(Shared), &[]),
        (&Viewer::Anonymous, Only(Community), &[13, 23]),
    ];
    for (viewer, visibility, expected) in table {
        let query = ImageQuery {
            viewer: viewer.clone(),
            visibility,
            member_status: Some(MemberStatus::Accepted),
            ..ImageQuery::default()
        };
        assert_eq!(
            numbers(&db, query).await,
            expected,
            "{viewer:?} {visibility:?}"
        );
    }
}

#[tokio::test]
async fn a_member_finds_what_it_gave_the_answer_asked_for() {
    let db = two_projects().await;
    for (member_status, expected) in [
        (Some(MemberStatus::Accepted), vec![12, 30]),
        (Some(MemberStatus::Pending), vec![12, 31]),
        (Some(MemberStatus::Rejected), vec![12, 32]),
        (None, vec![12, 30, 31, 32]),
    ] {
        let query = ImageQuery {
            viewer: Viewer::Project(ALICE.to_owned()),
            visibility: VisibilityFilter::Only(Visibility::Shared),
            member_status,
            ..ImageQuery::default()
        };
        assert_eq!(numbers(&db, query).await, expected, "{member_status:?}");
    }
}

#[tokio::test]
async fn deleted_killed_and_hidden_images_are_not_listed() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    db.add(Image {
        status: Status::Killed,
        ..image(2)
    })
    .await;
    db.add(Image {
        hidden: true,
        ..image(3)
    })
    .await;
    db.add(image(4)).await;
    db.delete_image(id(4), at(5)).await.unwrap();
    assert_eq!(numbers(&db, ImageQuery::default()).await, [1]);
    let hidden = ImageQuery {
        hidden: true,
        ..ImageQuery::default()
    };
    assert_eq!(numbers(&db, hidden).await, [3]);
}

#[tokio::test]
async fn every_filter_finds_its_images() {
    use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};
    let db = Scratch::new().await;
    let image_1 = Image {
        name: Some("a,b".to_owned()),
        disk_format: Some("raw".to_owned()),
        size: Some(1000),
        min_ram: 64,
        protected: true,
        checksums: data().checksums,
        properties: [
            ("os".to_owned(), Some("debian".to_owned())),
            ("v".to_owned(), Some("1".to_owned())),
        ]
        .into(),
        tags: vec!["red".to_owned(), "big".to_owned()],
        ..image(1)
    };
    let image_2 = Image {
        size: Some(3000),
        owner: Some(BOB.to_owned()),
        properties: [("os".to_owned(), Some("debian".to_owned()))].into(),
        tags: vec!["red".to_owned()],
        created_at: at(2) + Duration::microseconds(5),
        ..image(2)
    };
    for image in [image_1, image_2, image(3)] {
        db.create_image(&image).await.unwrap();
    }
    db.delete_tag(id(2), "red", at(2)).await.unwrap();
    db.add_tag(id(2), "red", at(2)).await.unwrap();

    let text = |text: &str| text.to_owned();
    let two = at(2) + Duration::microseconds(5);
    // To MySQL the case of a letter is nothing, and nothing is below a second; as with the original.
    let coarse = db.engine().await == Engine::MySql;
    let table: Vec<(Vec<Filter>, &[u32])> = vec![
        (vec![Filter::Text("name", text("a,b"))], &[1]),
        (
            vec![Filter::Text("name", text("A,b"))],
            if coarse { &[1] } else { &[] },
        ),
        (vec![Filter::Text("name", text(""))], &[]),
        (vec![Filter::Text("disk_format", text("raw"))], &[1]),
        (vec![Filter::Text("status", text("queued"))], &[1, 2, 3]),
        (vec![Filter::Text("status", text("nonsense"))], &[]),
        (vec![Filter::Text("owner", text(BOB))], &[2]),
        (vec![Filter::Text("checksum", "ab".repeat(16))], &[1]),
        (vec![Filter::Text("os_hash_value", "cd".repeat(64))], &[1]),
        (vec![Filter::Text("os_hash_algo", text("sha512"))], &[1]),
        (vec![Filter::Text("id", id(3).to_string())], &[3]),
        (
            vec![Filter::In(
                "name",
                vec![text("a,b"), text("image 3"), text("")],
            )],
            &[1, 3],
        ),
        (vec![Filter::In("id", vec![])], &[]),
        (vec![Filter::Number("size", 1000)], &[1]),
        (vec![Filter::Number("min_ram", 0)], &[2, 3]),
        (vec![Filter::AtLeast("size", 1000)], &[1, 2]),
        (vec![Filter::AtLeast("size", -1)], &[1, 2]),
        (vec![Filter::AtMost("size", 2999)], &[1]),
        (
            vec![Filter::AtLeast("size", 1001), Filter::AtMost("size", 2999)],
            &[],
        ),
        (vec![Filter::Protected(true)], &[1]),
        (vec![Filter::Protected(false)], &[2, 3]),
        (vec![Filter::Property(text("os"), text("debian"))], &[1, 2]),
        (
            vec![
                Filter::Property(text("os"), text("debian")),
                Filter::Property(text("v"), text("1")),
            ],
            &[1],
        ),
        (vec![Filter::Property(text("os"), text(""))], &[]),
        (vec![Filter::Tag(text("red"))], &[1, 2]),
        (
            vec![Filter::Tag(text("red")), Filter::Tag(text("big"))],
            &[1],
        ),
        (vec![Filter::Time("created_at", Gt, two)], &[3]),
        (vec![Filter::Time("created_at", Gte, two)], &[2, 3]),
        (vec![Filter::Time("created_at", Lt, two)], &[1]),
        (vec![Filter::Time("created_at", Lte, two)], &[1, 2]),
        (vec![Filter::Time("created_at", Eq, two)], &[2]),
        (
            vec![Filter::Time("created_at", Eq, at(2))],
            if coarse { &[2] } else { &[] },
        ),
        (vec![Filter::Time("updated_at", Neq, at(2))], &[1, 3]),
        (vec![Filter::Nothing], &[]),
    ];
    for (filters, expected) in table {
        let query = ImageQuery {
            filters: filters.clone(),
            ..ImageQuery::default()
        };
        assert_eq!(numbers(&db, query).await, expected, "{filters:?}");
    }
}

#[tokio::test]
async fn a_filter_on_what_is_no_column_is_refused() {
    let db = Scratch::new().await;
    for filter in [
        Filter::Text("deleted", String::new()),
        Filter::In("1 OR 1", vec![]),
        Filter::Number("name", 1),
        Filter::Time("deleted_at", Comparison::Eq, at(1)),
    ] {
        let query = ImageQuery {
            filters: vec![filter],
            ..ImageQuery::default()
        };
        assert!(matches!(db.images(&query).await, Err(Error::Failed(_))));
    }
}
