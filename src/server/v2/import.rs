//! `/v2/images/{id}/import`

use axum::extract::State;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::Json;
use crate::server::fault::Fault;
use crate::server::methods::not_offered;

/// `POST /v2/images/{id}/import`
pub async fn start(
    State(glance): State<Glance>,
    caller: Caller,
    Json(document): Json,
) -> Result<Fault> {
    glance.check_import(&caller, &document).await?;
    Ok(not_offered())
}
