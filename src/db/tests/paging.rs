use super::*;
use crate::domain::MemberStatus;
use crate::domain::query::{Direction, ImageQuery, SortKey, Viewer, VisibilityFilter};

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// One of few values, none among them.
    fn text(&mut self) -> Option<String> {
        ["", "a", "A", "b", "ü"]
            .get(usize::try_from(self.roll(6)).unwrap())
            .map(|text| (*text).to_owned())
    }
}

async fn random_images(dice: &mut Dice) -> Scratch {
    let db = Scratch::new().await;
    for number in 0..60 {
        db.add(Image {
            name: dice.text(),
            disk_format: dice.text(),
            container_format: dice.text(),
            size: Some(dice.roll(4)).filter(|size| *size < 3),
            status: [Status::Queued, Status::Active][usize::try_from(dice.roll(2)).unwrap()],
            visibility: [
                Visibility::Public,
                Visibility::Shared,
                Visibility::Community,
            ][usize::try_from(dice.roll(3)).unwrap()],
            owner: dice.text(),
            created_at: at(i64::try_from(dice.roll(5)).unwrap()),
            updated_at: at(i64::try_from(dice.roll(5)).unwrap()),
            tags: vec!["t".to_owned()],
            ..image(number)
        })
        .await;
    }
    let fourth = at(4).format("%F %T%.6f");
    db.run(format!(
        "UPDATE images SET updated_at = NULL WHERE updated_at = '{fourth}'"
    ))
    .await;
    db
}

/// Walks to the end by markers.
async fn walk(db: &Db, query: &ImageQuery, limit: u32) -> Vec<ImageId> {
    let mut ids = Vec::new();
    loop {
        let page = ImageQuery {
            marker: ids.last().copied(),
            limit,
            ..query.clone()
        };
        let page = db.images(&page).await.unwrap().unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.iter().map(|image| image.id));
        assert!(ids.len() <= 60, "images come again");
    }
}

#[tokio::test]
async fn pages_have_every_image_once_in_every_order() {
    let mut dice = Dice(88_172_645_463_325_252);
    let db = random_images(&mut dice).await;
    let directions = [Direction::Asc, Direction::Desc];
    for viewer in [Viewer::Administrator, Viewer::Project("a".to_owned())] {
        for first in SortKey::ALL {
            for direction in directions {
                let other = directions[usize::try_from(dice.roll(2)).unwrap()];
                let second = SortKey::ALL[usize::try_from(dice.roll(8)).unwrap()];
                let query = ImageQuery {
                    viewer: viewer.clone(),
                    visibility: VisibilityFilter::All,
                    sort: vec![(first, direction), (second, other)],
                    ..ImageQuery::default()
                };
                let whole = walk(&db, &query, 1000).await;
                let limit = u32::try_from(1 + dice.roll(7)).unwrap();
                assert_eq!(
                    walk(&db, &query, limit).await,
                    whole,
                    "{query:?} by {limit}"
                );
                if viewer == Viewer::Administrator {
                    assert_eq!(whole.len(), 60);
                }
            }
        }
    }
}

#[tokio::test]
async fn nulls_are_the_least_on_every_engine() {
    let db = Scratch::new().await;
    for (number, name) in [(1, Some("b")), (2, None), (3, Some("")), (4, Some("a"))] {
        db.add(Image {
            name: name.map(str::to_owned),
            ..image(number)
        })
        .await;
    }
    let by_name = |direction| ImageQuery {
        sort: vec![(SortKey::Name, direction)],
        ..ImageQuery::default()
    };
    let (up, down) = ([2, 3, 4, 1], [1, 4, 3, 2]);
    for limit in [1, 10] {
        let ascending = walk(&db, &by_name(Direction::Asc), limit).await;
        assert_eq!(ascending, up.map(id));
        let descending = walk(&db, &by_name(Direction::Desc), limit).await;
        assert_eq!(descending, down.map(id));
    }
}

#[tokio::test]
async fn the_newest_come_first_without_being_asked() {
    let db = Scratch::new().await;
    for number in [2, 1, 3] {
        db.add(image(number)).await;
    }
    let ids = walk(&db, &ImageQuery::default(), 2).await;
    assert_eq!(ids, [3, 2, 1].map(id));
}

#[tokio::test]
async fn a_limit_of_nothing_is_an_empty_page() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    assert_eq!(
        db.images(&ImageQuery::default()).await.unwrap(),
        Some(vec![])
    );
}

#[tokio::test]
async fn an_unknown_marker_is_told_from_an_empty_page() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    let after = |number, viewer| ImageQuery {
        marker: Some(id(number)),
        viewer,
        limit: 10,
        member_status: Some(MemberStatus::Accepted),
        ..ImageQuery::default()
    };
    let alice = || Viewer::Project(ALICE.to_owned());
    let page = async |query| db.images(&query).await.unwrap();
    assert_eq!(page(after(1, alice())).await, Some(vec![]));
    assert_eq!(page(after(2, alice())).await, None);
    db.delete_image(id(1), at(5)).await.unwrap();
    assert_eq!(page(after(1, alice())).await, None);
    assert_eq!(page(after(1, Viewer::Administrator)).await, Some(vec![]));
}
