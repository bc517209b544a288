use super::*;
use crate::domain::{Member, MemberStatus};

#[tokio::test]
async fn a_membership_begins_is_answered_ends_and_begins_again() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    let bob = Member {
        image_id: id(1),
        member: BOB.to_owned(),
        status: MemberStatus::Pending,
        created_at: at(10),
        updated_at: at(10),
    };
    assert_eq!(
        db.create_member(id(1), BOB, at(10)).await.unwrap(),
        Some(bob.clone())
    );
    assert_eq!(db.create_member(id(1), BOB, at(11)).await.unwrap(), None);

    let accepted = Member {
        status: MemberStatus::Accepted,
        updated_at: at(12),
        ..bob.clone()
    };
    let answered = db
        .set_member_status(id(1), BOB, MemberStatus::Accepted, at(12))
        .await;
    assert_eq!(answered.unwrap(), Some(accepted.clone()));
    assert_eq!(db.member(id(1), BOB).await.unwrap(), Some(accepted));

    assert!(db.delete_member(id(1), BOB, at(13)).await.unwrap());
    assert!(!db.delete_member(id(1), BOB, at(14)).await.unwrap());
    assert_eq!(db.member(id(1), BOB).await.unwrap(), None);
    let answered = db
        .set_member_status(id(1), BOB, MemberStatus::Accepted, at(15))
        .await;
    assert_eq!(answered.unwrap(), None);

    let again = Member {
        updated_at: at(16),
        ..bob
    };
    assert_eq!(
        db.create_member(id(1), BOB, at(16)).await.unwrap(),
        Some(again)
    );
}

#[tokio::test]
async fn members_are_listed_in_the_order_in_which_they_came() {
    let db = Scratch::new().await;
    db.add(image(1)).await;
    for member in ["z", "a", "m"] {
        db.create_member(id(1), member, at(2)).await.unwrap();
    }
    let members = db.members(id(1)).await.unwrap();
    let names: Vec<_> = members.iter().map(|member| &member.member).collect();
    assert_eq!(names, ["z", "a", "m"]);
}
