use super::*;
use crate::db::{DataRow, Error};

/// An image that uses every column.
fn full() -> Image {
    Image {
        disk_format: Some("qcow2".to_owned()),
        container_format: Some("bare".to_owned()),
        size: Some(5 << 40),
        virtual_size: Some(0),
        min_disk: 3,
        min_ram: u32::try_from(i32::MAX).unwrap(),
        protected: true,
        hidden: true,
        checksums: data().checksums,
        visibility: Visibility::Community,
        properties: [
            ("os_distro".to_owned(), Some("debian".to_owned())),
            ("quotes".to_owned(), Some("say \"hi\" \\ ü \n".to_owned())),
            ("empty".to_owned(), Some(String::new())),
            (
                "control".to_owned(),
                Some("a\u{1}b\u{7f}\u{2028}\t".to_owned()),
            ),
        ]
        .into(),
        tags: ["zebra", "apple", "a\u{1}b", "ümlaut"]
            .map(str::to_owned)
            .into(),
        locations: vec![location("one"), location("two")],
        ..image(1)
    }
}

#[tokio::test]
async fn an_image_reads_back_as_it_was_written() {
    let db = Scratch::new().await;
    let bare = Image {
        name: None,
        owner: None,
        ..image(2)
    };
    for image in [full(), bare] {
        db.create_image(&image).await.unwrap();
        assert_eq!(db.image(image.id).await.unwrap(), Some(image));
    }
    assert_eq!(db.image(id(3)).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_text_to_others_is_one_to_sqlite() {
    let db = Scratch::file().await;
    let odd = Image {
        properties: [("null".to_owned(), Some("a\0b".to_owned()))].into(),
        tags: vec!["🦀".to_owned()],
        ..image(1)
    };
    db.create_image(&odd).await.unwrap();
    assert_eq!(db.image(odd.id).await.unwrap(), Some(odd));
}

#[tokio::test]
async fn a_text_that_its_column_cannot_hold_is_told_as_such() {
    let db = Scratch::new().await;
    let odd = match db.engine().await {
        Engine::Sqlite => return println!("skipped: SQLite keeps every text"),
        Engine::MySql => "🦀",
        Engine::Postgres => "a\0b",
    };
    for name in [odd.to_owned(), "x".repeat(256)] {
        let image = Image {
            name: Some(name),
            ..image(1)
        };
        let refused = db.create_image(&image).await;
        assert!(matches!(refused, Err(Error::Unfit(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn the_case_of_an_id_is_kept() {
    let db = Scratch::new().await;
    let upper: ImageId = "ABCDEFAB-0000-4000-8000-00000000000F".parse().unwrap();
    let lower: ImageId = "abcdefab-0000-4000-8000-00000000000f".parse().unwrap();
    db.add(Image {
        id: upper,
        ..image(1)
    })
    .await;
    assert_eq!(db.image(upper).await.unwrap().unwrap().id, upper);
    // To MySQL they are one, as they are with the original.
    let found = db.image(lower).await.unwrap().map(|image| image.id);
    let expected = (db.engine().await == Engine::MySql).then_some(upper);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_id_is_taken_for_ever() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    let again = db.create_image(&image).await.unwrap_err();
    assert!(matches!(again, Error::Duplicate(id) if id == image.id));
    db.delete_image(image.id, at(9)).await.unwrap();
    let again = db.create_image(&image).await.unwrap_err();
    assert!(matches!(again, Error::Duplicate(id) if id == image.id));
    assert!(db.image_existed(image.id).await.unwrap());
    assert!(!db.image_existed(id(2)).await.unwrap());
}

#[tokio::test]
async fn many_images_are_asked_at_once_for_their_data() {
    let db = Scratch::new().await;
    let (gone, here) = (db.add(image(2)).await, db.add(full()).await);
    db.delete_image(gone.id, at(9)).await.unwrap();
    assert!(here.size.is_some() && here.checksums != Checksums::default());
    let mut ids: Vec<ImageId> = (1000..3000).map(id).collect();
    ids.extend([gone.id, here.id]);
    let data = DataRow {
        size: here.size,
        checksums: here.checksums,
    };
    let expected = [(gone.id, None), (here.id, Some(data))].into();
    assert_eq!(db.data_of(&ids).await.unwrap(), expected);
}

#[tokio::test]
async fn an_image_that_cannot_be_written_leaves_nothing() {
    let db = Scratch::new().await;
    let image = Image {
        size: Some(u64::MAX),
        ..full()
    };
    assert!(matches!(
        db.create_image(&image).await,
        Err(Error::Failed(_))
    ));
    assert!(!db.image_existed(image.id).await.unwrap());
}

#[tokio::test]
async fn an_update_writes_columns_and_what_differs_in_properties_and_tags() {
    let db = Scratch::new().await;
    let mut image = db.add(full()).await;
    image.name = Some("other".to_owned());
    image.updated_at = at(100);
    image.hidden = false;
    image.properties.remove("empty");
    image
        .properties
        .insert("os_distro".to_owned(), Some("fedora".to_owned()));
    (image.properties).insert("new".to_owned(), Some("1".to_owned()));
    image.tags.retain(|tag| tag != "zebra");
    image.tags.push("zoo".to_owned());
    let written = db.update_image(&image, Status::Queued).await.unwrap();
    assert_eq!(written, image);
    assert_eq!(db.image(image.id).await.unwrap(), Some(image));
    let touched = "SELECT name AS answer FROM image_properties WHERE updated_at = '2024-10-04 00:01:40.000000' ORDER BY name";
    assert_eq!(db.ask(touched).await, ["empty", "new", "os_distro"]);
}

#[tokio::test]
async fn a_property_that_comes_back_lives_in_its_old_row() {
    let db = Scratch::new().await;
    let image = db.add(full()).await;
    let without = Image {
        properties: [].into(),
        tags: vec![],
        ..image.clone()
    };
    db.update_image(&without, Status::Queued).await.unwrap();
    assert_eq!(db.image(image.id).await.unwrap(), Some(without));
    assert_eq!(
        db.update_image(&image, Status::Queued).await.unwrap(),
        image
    );
    let rows = db.ask("SELECT name AS answer FROM image_properties").await;
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn saving_an_image_leaves_an_import_of_the_original_alone() {
    let db = Scratch::new().await;
    let mut image = image(1);
    let lock = "os_glance_import_task".to_owned();
    (image.properties).insert(lock.clone(), Some("task 1".to_owned()));
    db.create_image(&image).await.unwrap();
    for mine in [None, Some("task 2".to_owned())] {
        image.properties.clear();
        image
            .properties
            .extend(mine.map(|mine| (lock.clone(), Some(mine))));
        let written = db.update_image(&image, Status::Queued).await.unwrap();
        assert_eq!(written.properties[&lock].as_deref(), Some("task 1"));
    }
}

#[tokio::test]
async fn thousands_of_properties_and_tags_are_written_and_changed() {
    let db = Scratch::new().await;
    let mut image = image(1);
    image.properties = (0..3000)
        .map(|n| (format!("p{n:04}"), Some(n.to_string())))
        .collect();
    image.tags = (0..3000).map(|n| format!("t{n}")).collect();
    db.create_image(&image).await.unwrap();
    image.properties = (1500..4500)
        .map(|n| (format!("p{n:04}"), Some(n.to_string())))
        .collect();
    image.tags = (1500..4500).map(|n| format!("t{n}")).collect();
    assert_eq!(
        db.update_image(&image, Status::Queued).await.unwrap(),
        image
    );
}

#[tokio::test]
async fn a_change_for_another_state_is_refused_with_the_state_there_is() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    let conflict = |error| {
        matches!(
            error,
            Error::Conflict {
                status: Status::Queued,
                ..
            }
        )
    };
    let gone = |error| matches!(error, Error::Gone(_));

    assert!(conflict(
        db.update_image(&image, Status::Active).await.unwrap_err()
    ));
    assert!(conflict(
        db.activate_image(image.id, &data(), at(2))
            .await
            .unwrap_err()
    ));
    let refused = db
        .set_status(image.id, &[Status::Saving], Status::Active, at(2))
        .await;
    assert!(conflict(refused.unwrap_err()));
    assert_eq!(db.image(image.id).await.unwrap(), Some(image.clone()));

    db.delete_image(image.id, at(3)).await.unwrap();
    assert!(gone(
        db.update_image(&image, Status::Queued).await.unwrap_err()
    ));
    assert!(gone(
        db.activate_image(image.id, &data(), at(4))
            .await
            .unwrap_err()
    ));
    let refused = db
        .set_status(image.id, &[Status::Queued], Status::Saving, at(4))
        .await;
    assert!(gone(refused.unwrap_err()));
    assert!(gone(db.delete_image(image.id, at(4)).await.unwrap_err()));
    assert!(gone(db.add_tag(image.id, "late", at(4)).await.unwrap_err()));
    assert!(gone(
        db.create_member(image.id, BOB, at(4)).await.unwrap_err()
    ));
}

#[tokio::test]
async fn an_upload_is_committed_with_all_it_found_out() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    let was = db
        .set_status(
            image.id,
            &[Status::Active, Status::Queued],
            Status::Saving,
            at(5),
        )
        .await
        .unwrap();
    assert_eq!(was, Status::Queued);
    db.activate_image(image.id, &data(), at(6)).await.unwrap();
    let expected = Image {
        status: Status::Active,
        size: Some(1000),
        virtual_size: Some(2000),
        checksums: data().checksums,
        locations: data().locations,
        updated_at: at(6),
        ..image
    };
    assert_eq!(db.image(id(1)).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn deletion_marks_an_image_and_all_that_belongs_to_it() {
    for later in [false, true] {
        let db = Scratch::new().await;
        let image = db.add(full()).await;
        db.create_member(image.id, BOB, at(2)).await.unwrap();
        let locations = if later {
            db.delete_image_later(image.id, at(7)).await.unwrap()
        } else {
            db.delete_image(image.id, at(7)).await.unwrap()
        };
        assert_eq!(locations, image.locations);
        assert_eq!(db.image(image.id).await.unwrap(), None);
        for table in [
            "images",
            "image_properties",
            "image_tags",
            "image_members",
            "image_locations",
        ] {
            let unmarked = query(format!(
                "SELECT deleted FROM {table} WHERE NOT deleted OR deleted_at <> ? OR deleted_at IS NULL"
            ))
            .bind(at(7));
            let mut db = db.link.read().await.unwrap();
            assert!(
                unmarked.fetch_all(&mut db).await.unwrap().is_empty(),
                "{table}"
            );
        }
        let status = "SELECT status AS answer FROM images UNION SELECT status FROM image_locations";
        let expected = if later { "pending_delete" } else { "deleted" };
        assert_eq!(db.ask(status).await, [expected]);
    }
}

#[tokio::test]
async fn a_tag_is_borne_once_and_taken_away_once() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    assert!(db.add_tag(image.id, "b", at(2)).await.unwrap());
    assert!(db.add_tag(image.id, "a", at(3)).await.unwrap());
    assert!(!db.add_tag(image.id, "b", at(4)).await.unwrap());
    let there = db.image(image.id).await.unwrap().unwrap();
    assert_eq!(
        (there.tags, there.updated_at),
        (vec!["b".to_owned(), "a".to_owned()], at(4))
    );

    assert!(db.delete_tag(image.id, "b", at(5)).await.unwrap());
    assert!(!db.delete_tag(image.id, "b", at(6)).await.unwrap());
    assert!(!db.delete_tag(id(9), "b", at(6)).await.unwrap());
    assert!(db.add_tag(image.id, "b", at(7)).await.unwrap());
    let there = db.image(image.id).await.unwrap().unwrap();
    assert_eq!(
        (there.tags, there.updated_at),
        (vec!["a".to_owned(), "b".to_owned()], at(7))
    );
}

#[tokio::test]
async fn an_algorithm_without_a_digest_is_a_digest_that_is_still_to_come() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    db.run("UPDATE images SET os_hash_algo = 'sha512'".to_owned())
        .await;
    let there = db.image(id(1)).await.unwrap().unwrap();
    let announced = Checksums {
        announced: Some(HashAlgorithm::Sha512),
        ..Checksums::default()
    };
    assert_eq!(there.checksums, announced);
    assert_eq!(there.checksums.proof(), None);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_inconsistent() {
    for (column, value) in [
        ("status", "'lost'"),
        ("visibility", "'secret'"),
        ("size", "-1"),
        ("size", "'big'"),
        ("min_disk", "-1"),
        ("created_at", "'yesterday'"),
        ("os_hash_value", "'abcd'"),
    ] {
        let db = Scratch::file().await;
        db.add(image(1)).await;
        db.run(format!("UPDATE images SET {column} = {value}"))
            .await;
        let error = db.image(id(1)).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Inconsistent {
                    table: "images",
                    ..
                }
            ),
            "{column} {value}: {error}"
        );
    }
}
