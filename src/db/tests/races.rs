use super::*;
use crate::db::{Error, images};

#[tokio::test]
async fn of_two_who_want_a_transition_one_gets_it() {
    let db = Scratch::new().await;
    let other = db.other().await;
    for number in 0..50 {
        let image = db.add(image(number)).await;
        let (mine, theirs) = tokio::join!(
            db.set_status(image.id, &[Status::Queued], Status::Saving, at(1)),
            other.set_status(image.id, &[Status::Queued], Status::Saving, at(1)),
        );
        let won = [mine, theirs]
            .into_iter()
            .filter(|result| match result {
                Ok(Status::Queued) => true,
                Err(Error::Conflict {
                    status: Status::Saving,
                    ..
                }) => false,
                other => panic!("{other:?}"),
            })
            .count();
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_writers_all_get_their_turn() {
    let db = Scratch::new().await;
    let other = db.other().await;
    db.add(image(1)).await;
    let writers: Vec<_> = (0..100)
        .map(|number| {
            let db = if number % 2 == 0 {
                db.db.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move { db.add_tag(id(1), &format!("t{number}"), at(2)).await })
        })
        .collect();
    for writer in writers {
        assert!(writer.await.unwrap().unwrap());
    }
    assert_eq!(db.image(id(1)).await.unwrap().unwrap().tags.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_start_at_once_on_a_new_file_both_succeed() {
    for _ in 0..10 {
        let dir = TempDir::new().unwrap();
        let config = config(&dir.path().join("glance.db"));
        let starts: Vec<_> = (0..4)
            .map(|number| {
                let config = config.clone();
                tokio::spawn(async move {
                    let db = Db::open(&config).await?;
                    db.create_image(&image(number)).await
                })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_change_that_is_given_up_never_happened() {
    let db = Scratch::new().await;
    let image = db.add(image(1)).await;
    let given_up = db
        .link
        .write(|mut db| async move { images::touch(&mut db, id(1), at(99)).await });
    given_up.await.unwrap();
    assert_eq!(db.image(image.id).await.unwrap(), Some(image));
    db.add_tag(id(1), "next", at(2)).await.unwrap();
}

#[tokio::test]
async fn who_loses_a_deadlock_goes_again() {
    let db = Scratch::new().await;
    if db.engine().await == Engine::Sqlite {
        return println!("skipped: SQLite lets one write at a time");
    }
    for number in [1, 2] {
        db.add(image(number)).await;
    }
    let both_hold_one = &tokio::sync::Barrier::new(2);
    let crossing = |first: u32, second: u32| {
        let tries = &*Box::leak(Box::new(std::sync::atomic::AtomicU32::new(0)));
        let link = &db.link;
        async move {
            let done = link.write(move |mut db| async move {
                images::touch(&mut db, id(first), at(3)).await?;
                if tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                    both_hold_one.wait().await;
                }
                images::touch(&mut db, id(second), at(4)).await?;
                db.commit_with(()).await
            });
            done.await.unwrap();
            tries.load(std::sync::atomic::Ordering::Relaxed)
        }
    };
    let (one, other) = tokio::join!(crossing(1, 2), crossing(2, 1));
    assert_eq!(one + other, 3, "one of them went twice");
}

#[tokio::test]
async fn what_somebody_else_has_changed_meanwhile_is_not_written_over() {
    let db = Scratch::new().await;
    let was = db.add(image(1)).await;
    let mut tagged = was.clone();
    tagged.tags.push("zoo".to_owned());
    tagged.updated_at = at(100);
    db.update_image(&tagged, &was).await.unwrap();

    let mut late = was.clone();
    late.name = Some("late".to_owned());
    let refused = db.update_image(&late, &was).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(db.image(was.id).await.unwrap(), Some(tagged));
}
