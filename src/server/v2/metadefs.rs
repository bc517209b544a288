//! `/v2/metadefs`

use axum::extract::State;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::NoBody;
use crate::server::fault::Fault;
use crate::server::methods::not_offered;

/// `GET /v2/metadefs/namespaces`
pub async fn namespaces(State(glance): State<Glance>, _: NoBody, caller: Caller) -> Result<Fault> {
    glance.may_list_namespaces(&caller).await?;
    Ok(not_offered())
}
