//! Custom properties.

use super::*;
use crate::db::Error;

#[tokio::test]
async fn a_name_that_an_engine_takes_for_another_replaces_nothing() {
    let db = Scratch::new().await;
    let named = |names: &[&str], number| {
        let value = |name: &&str| ((*name).to_owned(), Some(format!("of {name}")));
        Image {
            properties: names.iter().map(value).collect(),
            ..image(number)
        }
    };
    let before = db.add(named(&["billing"], 1)).await;
    let both = named(&["billing", "BILLING"], 1);
    let updated = db.update_image(&both, Status::Queued).await;
    let created = db.create_image(&named(&["upper", "UPPER"], 2)).await;
    let there = db.image(before.id).await.unwrap().unwrap();
    if db.engine().await == Engine::MySql {
        assert!(matches!(updated, Err(Error::Unfit(_))), "{updated:?}");
        assert!(matches!(created, Err(Error::Unfit(_))), "{created:?}");
        assert_eq!(there, before);
        assert_eq!(db.image(id(2)).await.unwrap(), None);
    } else {
        assert_eq!(updated.unwrap().properties, both.properties);
        assert_eq!(there.properties, both.properties);
        created.unwrap();
    }
    // A dead row is free for any spelling.
    let other = named(&["Billing"], 1);
    let renamed = db.update_image(&other, Status::Queued).await.unwrap();
    assert_eq!(renamed.properties, other.properties);
}

#[tokio::test]
async fn a_property_of_many_images_is_asked_for_at_once() {
    let db = Scratch::new().await;
    let with = |name: &str, value: Option<&str>, number| Image {
        properties: [(name.to_owned(), value.map(str::to_owned))].into(),
        ..image(number)
    };
    for number in 1..=3 {
        db.add(with("life", Some(&number.to_string()), number))
            .await;
    }
    db.add(with("Life", Some("4"), 4)).await;
    db.add(with("life", None, 5)).await;
    let gone = Image {
        properties: [].into(),
        ..image(3)
    };
    db.update_image(&gone, Status::Queued).await.unwrap();

    let asked: Vec<ImageId> = (2..2000).map(id).collect();
    let values = db.property_of("life", &asked).await.unwrap();
    assert_eq!(values, [(id(2), "2".to_owned())].into());
    assert!(db.property_of("life", &[]).await.unwrap().is_empty());
}
