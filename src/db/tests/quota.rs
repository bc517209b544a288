use super::*;
use crate::db::{Error, Gate, Judged, LEASE, Usage};
use crate::domain::location::Moves;
use crate::domain::task_stub::TaskListing;

const NO: &str = "too much";

/// Holds `bytes` where with all that is there, and on its way, there are no more than `most`.
async fn begin(
    db: &Db,
    image: ImageId,
    bytes: u64,
    most: u64,
    now: DateTime<Utc>,
) -> Judged<&'static str> {
    let judge = |usage: &[Usage]| {
        let used: u64 = usage.iter().map(|usage| usage.stored + usage.held).sum();
        if used + bytes <= most {
            Ok(bytes)
        } else {
            Err(NO)
        }
    };
    let groups = [vec![ALICE.to_owned()]];
    let gate = Gate {
        key: ALICE,
        groups: &groups,
        besides: Some(image),
        judge: &judge,
    };
    db.begin_within(image, Status::Saving, &gate, now).await
}

async fn usage(db: &Db, now: DateTime<Utc>) -> Usage {
    db.usage(&[ALICE.to_owned()], None, now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_the_last_room_as_many_get_it_as_there_is_room_for() {
    let db = Scratch::new().await;
    let other = db.other().await;
    for number in 0..8 {
        db.add(image(number)).await;
    }
    let wanting: Vec<_> = (0..8)
        .map(|number| {
            let db = if number % 2 == 0 {
                db.db.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move { begin(&db, id(number), 10, 40, at(1)).await.unwrap() })
        })
        .collect();
    let mut passed = 0;
    for wants in wanting {
        match wants.await.unwrap() {
            Ok(bytes) => {
                assert_eq!(bytes, 10);
                passed += 1;
            }
            Err(no) => assert_eq!(no, NO),
        }
    }
    assert_eq!(passed, 4);
    let seen = usage(&other, at(1)).await;
    assert_eq!((seen.held, seen.uploading, seen.images), (40, 4, 8));
}

#[tokio::test]
async fn who_is_refused_has_changed_nothing() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    assert_eq!(begin(&db, image.id, 10, 9, at(1)).await.unwrap(), Err(NO));
    assert_eq!(db.image(image.id).await.unwrap().unwrap(), image);
    assert_eq!(usage(&db, at(1)).await.held, 0);
}

#[tokio::test]
async fn held_room_is_seen_by_nobody_and_ends_with_the_upload() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    begin(&db, image.id, 10, 10, at(1)).await.unwrap().unwrap();
    let shown = db.image(image.id).await.unwrap().unwrap();
    assert_eq!(shown.properties, image.properties);
    assert_eq!(usage(&db, at(1)).await.held, 10);

    db.set_status(image.id, &[Status::Saving], Status::Queued, at(2))
        .await
        .unwrap();
    assert_eq!(usage(&db, at(2)).await.held, 0);
    // It may begin again, and hold another room in the same row.
    begin(&db, image.id, 7, 7, at(3)).await.unwrap().unwrap();
    assert_eq!(usage(&db, at(3)).await.held, 7);
    db.release_room(image.id).await.unwrap();
    assert_eq!(usage(&db, at(3)).await.held, 0);
}

#[tokio::test]
async fn room_that_nobody_renews_is_held_no_more() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    let (begun, lease) = (at(1), Duration::from_std(LEASE).unwrap());
    begin(&db, image.id, 10, 10, begun).await.unwrap().unwrap();
    let (soon, late) = (Duration::seconds(-2), Duration::seconds(2));
    assert_eq!(usage(&db, begun + lease + soon).await.held, 10);
    assert_eq!(usage(&db, begun + lease + late).await.held, 0);
    // Others may have got it by then: it does not come back by itself.
    assert!(!db.renew_room(image.id, begun + lease + late).await.unwrap());
    assert_eq!(usage(&db, begun + lease + late).await.held, 0);
    assert!(db.renew_room(image.id, begun + lease + soon).await.unwrap());
    assert_eq!(usage(&db, begun + lease + late).await.held, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_give_images_the_last_places_one_does() {
    let db = Scratch::new().await;
    let other = db.other().await;
    let mut images = Vec::new();
    for number in 0..8 {
        images.push(db.add(image(number)).await);
    }
    let giving: Vec<_> = images
        .into_iter()
        .enumerate()
        .map(|(number, was)| {
            let db = if number % 2 == 0 {
                db.db.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move { place(&db, &was, 40).await.unwrap().is_ok() })
        })
        .collect();
    let mut passed = 0;
    for gives in giving {
        passed += usize::from(gives.await.unwrap());
    }
    assert_eq!(passed, 4);
    assert_eq!(usage(&other, at(2)).await.stored, 40);
}

/// Gives an image of ten bytes a place where its project then has no more than `most`.
async fn place(db: &Db, was: &Image, most: u64) -> crate::db::Result<Result<Image, &'static str>> {
    let judge = |usage: &[Usage]| {
        let used: u64 = usage.iter().map(|usage| usage.stored).sum();
        if used + 10 <= most { Ok(0) } else { Err(NO) }
    };
    let groups = [vec![ALICE.to_owned()]];
    let gate = Gate {
        key: ALICE,
        groups: &groups,
        besides: Some(was.id),
        judge: &judge,
    };
    let edited = Image {
        size: Some(10),
        status: Status::Active,
        updated_at: at(2),
        ..was.clone()
    };
    let moves = Moves {
        added: vec![Location::active("http://a.example/x", [].into())],
        ..Moves::default()
    };
    db.move_within(&edited, was, &moves, &gate).await
}

#[tokio::test]
async fn only_an_image_that_waits_for_data_begins() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    begin(&db, image.id, 1, 10, at(1)).await.unwrap().unwrap();
    let again = begin(&db, image.id, 1, 10, at(1)).await;
    assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");
    let missing = begin(&db, id(2), 1, 10, at(1)).await;
    assert!(matches!(missing, Err(Error::Gone(_))), "{missing:?}");
}

#[tokio::test]
async fn what_waits_for_its_import_or_is_copied_is_counted_by_itself() {
    let db = Scratch::new().await;
    let mut staged = image(1);
    (staged.status, staged.size) = (Status::Uploading, Some(30));
    db.add(staged).await;
    let mut copied = image(2);
    (copied.status, copied.size) = (Status::Active, Some(20));
    copied.locations = vec![Location::active("file:///a", [].into())];
    let to = (
        "os_glance_importing_to_stores".to_owned(),
        Some("b".to_owned()),
    );
    copied.properties.extend([to]);
    db.add(copied).await;
    let expected = Usage {
        stored: 20,
        staged: 50,
        images: 2,
        uploading: 2,
        ..Usage::default()
    };
    assert_eq!(usage(&db, at(1)).await, expected);
    let both = [ALICE.to_owned(), BOB.to_owned()];
    assert_eq!(db.usage(&both, None, at(1)).await.unwrap(), expected);
    assert_eq!(db.usage(&[], None, at(1)).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn an_image_is_made_only_where_the_gate_lets_it() {
    let db = Scratch::new().await;
    let judge = |usage: &[Usage]| {
        if usage[0].images > 1 { Err(NO) } else { Ok(0) }
    };
    let groups = [vec![ALICE.to_owned()]];
    let gate = Gate {
        key: ALICE,
        groups: &groups,
        besides: None,
        judge: &judge,
    };
    assert_eq!(
        db.create_image_within(&image(1), &gate).await.unwrap(),
        Ok(0)
    );
    assert_eq!(
        db.create_image_within(&image(2), &gate).await.unwrap(),
        Err(NO)
    );
    assert!(db.image(id(2)).await.unwrap().is_none());
    // What keeps them in line is no task that anybody sees.
    let all = TaskListing::read(&[]).unwrap();
    let tasks = db.task_stubs(&all, None, 10).await.unwrap();
    assert_eq!(tasks, Some(Vec::new()));
}
