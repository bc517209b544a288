//! `/v2/images/{id}/members`

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::Value;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{Json, NoBody, Path};
use crate::server::fault::Fault;
use crate::server::view::{self, Document};

/// `GET /v2/images/{id}/members`
pub async fn list(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let members = glance.members(&caller, &id).await?;
    Ok(Document(view::members(&members)))
}

/// `POST /v2/images/{id}/members`
pub async fn add(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json,
) -> Result<impl IntoResponse> {
    let named = member_in(&body)?;
    let member = match named {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let member = glance.add_member(&caller, &id, &member).await?;
    let mut document = view::member(&member);
    // A project that is given as a number is shown as one.
    document["member_id"] = named.clone();
    Ok(Document(document))
}

/// `GET /v2/images/{id}/members/{member}`
pub async fn show(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result<impl IntoResponse> {
    let member = glance.member(&caller, &id, &member).await?;
    Ok(Document(view::member(&member)))
}

/// `PUT /v2/images/{id}/members/{member}`
pub async fn answer(
    State(glance): State<Glance>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json,
) -> Result<impl IntoResponse> {
    let form = "Expected a status in the form: {\"status\": \"status\"}";
    let body = body.as_object().ok_or_else(|| bad(form))?;
    let status = (body.get("status")).ok_or_else(|| bad("Status not specified"))?;
    let member = (glance.answer_membership(&caller, &id, &member, status)).await?;
    Ok(Document(view::member(&member)))
}

/// `DELETE /v2/images/{id}/members/{member}`
pub async fn remove(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result<StatusCode> {
    glance.remove_member(&caller, &id, &member).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn member_in(body: &Value) -> Result<&Value> {
    let form = "Expected a member in the form: {\"member\": \"image_id\"}";
    let body = body.as_object().ok_or_else(|| bad(form))?;
    match body.get("member") {
        None => Err(bad("Member to be added not specified")),
        Some(Value::Null) => Err(bad("Member can't be empty")),
        Some(Value::String(name)) if name.is_empty() => Err(bad("Member can't be empty")),
        Some(named @ (Value::String(_) | Value::Number(_))) => Ok(named),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(bad(form)),
    }
}

fn bad(sentence: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, sentence)
}
