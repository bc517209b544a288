//! Members as clients see them.

use serde_json::{Value, json};

use crate::domain::{Member, isotime};

/// A member's document.
pub(in crate::server) fn member(member: &Member) -> Value {
    json!({
        "member_id": member.member,
        "image_id": member.image_id.as_str(),
        "status": member.status.as_str(),
        "created_at": isotime::format(member.created_at),
        "updated_at": isotime::format(member.updated_at),
        "schema": "/v2/schemas/member",
    })
}

/// All members of an image.
pub(in crate::server) fn members(members: &[Member]) -> Value {
    let members: Vec<Value> = members.iter().map(member).collect();
    json!({"members": members, "schema": "/v2/schemas/members"})
}
