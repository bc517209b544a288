//! `/v2/images/{id}/file`: image data, in and out.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt as _;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::domain::{Caller, ImageId};
use crate::ops::download::Download;
use crate::ops::{Error, Glance};
use crate::server::error::Result;
use crate::server::extract::{Conditions, ETag, NoBody, Path, Query, Range, is_overdue};
use crate::server::fault::Fault;
use crate::server::view::Empty;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const OCTETS: &str = "application/octet-stream";

/// `GET /v2/images/{id}/file`
pub async fn download(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
    Range(mut range): Range,
    conditions: Conditions,
    query: Query,
) -> Result<Response> {
    let id = image_id(id)?;
    if !conditions.is_empty() {
        let tag = ETag::of(&glance.readable(&caller, id).await?);
        if let Some(tag) = tag.as_ref().filter(|tag| conditions.has(tag)) {
            return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.to_string())]).into_response());
        }
        range = range.filter(|_| conditions.range_applies(tag.as_ref()));
    }
    if conditions.only_if_cached {
        return Ok(opened(glance.download_copy(&caller, id, range).await?));
    }
    let preferred = preferred(&query);
    let download = glance.download_from(&caller, id, range, &preferred).await?;
    Ok(opened(download))
}

/// `PUT /v2/images/{id}/file`
pub async fn upload(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse> {
    are_octets(&headers)?;
    let size = declared_size(&headers)?;
    let id = image_id(id)?;
    let bytes = body.into_data_stream().map_err(broken);
    let store = headers.get("x-image-meta-store");
    let store = store.map(|name| String::from_utf8_lossy(name.as_bytes()));
    (glance.upload_to(&caller, id, Box::pin(bytes), size, store.as_deref())).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// What the operation learns of a body that broke: above all, whether it came too slowly.
fn broken(error: axum::Error) -> io::Error {
    if is_overdue(&error) {
        io::Error::new(io::ErrorKind::TimedOut, error)
    } else {
        io::Error::other(error)
    }
}

/// `PUT /v2/images/{id}/stage`
pub async fn stage(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse> {
    glance.may_be_staged()?;
    are_octets(&headers)?;
    let size = declared_size(&headers)?;
    let id = image_id(id)?;
    let bytes = body.into_data_stream().map_err(broken);
    (glance.stage(&caller, id, Box::pin(bytes), size)).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// The stores that the client names, in its order.
fn preferred(query: &Query) -> Vec<String> {
    let given = query.0.iter().rev().find(|(name, _)| name == "prefer");
    let names = given.map_or("", |(_, names)| names.as_str()).split(',');
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn image_id(id: String) -> Result<ImageId> {
    Ok(id.parse().map_err(|_| Error::NoSuchImage(id))?)
}

fn are_octets(headers: &HeaderMap) -> Result<()> {
    let value = headers.get(CONTENT_TYPE);
    let kind = value.and_then(|value| value.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if kind == Some(OCTETS) {
        return Ok(());
    }
    let kind = kind.unwrap_or("None");
    Err(Fault::of(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .because(format!("Invalid content type {kind}")))
}

/// The size that the client declares: in a header of its own, which may be about a body in chunks, or by
/// the length of the body.
fn declared_size(headers: &HeaderMap) -> Result<Option<i64>> {
    let number = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<i64>().ok();
    match headers.get("x-openstack-image-size") {
        Some(value) => match number(value) {
            Some(size) => Ok(Some(size)),
            None => Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "Invalid or missing image size in request headers.",
            )),
        },
        None => Ok(headers
            .get(CONTENT_LENGTH)
            .and_then(number)
            .filter(|size| *size > 0)),
    }
}

/// The answer. A stream that breaks ends the connection, so that nobody takes a part for the whole.
fn opened(download: Download) -> Response {
    let Some(blob) = download.blob else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let mut response = Body::from_stream(blob.bytes).into_response();
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    if let Some(size) = blob.size {
        put(CONTENT_LENGTH, size.to_string());
    }
    // An answer without bytes has no type either.
    if blob.size != Some(0) {
        put(CONTENT_TYPE, OCTETS.to_owned());
    }
    if let Some(tag) = ETag::of(&download.image) {
        put(ETAG, tag.to_string());
    }
    if download.image.size.is_some() {
        put(ACCEPT_RANGES, "bytes".to_owned());
    }
    if let Some(md5) = download.image.checksums.md5 {
        put(CONTENT_MD5, md5);
    }
    if let (Some(range), Some(size)) = (download.range, download.image.size) {
        let last = range.end - 1;
        put(
            CONTENT_RANGE,
            format!("bytes {}-{last}/{size}", range.start),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response.extensions_mut().insert(download.source);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &'static str, value: &str) -> std::result::Result<Option<i64>, u16> {
        let value = value.parse().expect("a header value");
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
        declared_size(&headers).map_err(|fault| fault.status.as_u16())
    }

    #[test]
    fn the_header_for_the_size_comes_before_the_length_of_the_body() {
        assert_eq!(declared("x-openstack-image-size", "500"), Ok(Some(500)));
        assert_eq!(declared("x-openstack-image-size", "-1"), Ok(Some(-1)));
        assert_eq!(declared("x-openstack-image-size", "abc"), Err(400));
        assert_eq!(declared("x-openstack-image-size", ""), Err(400));
        assert_eq!(declared("content-length", "0"), Ok(None));
        assert_eq!(declared("content-length", "7"), Ok(Some(7)));
    }

    #[test]
    fn only_octets_are_taken_with_parameters_or_without() {
        let taken = |kind: &str| {
            let value = kind.parse().expect("a header value");
            are_octets(&HeaderMap::from_iter([(CONTENT_TYPE, value)])).is_ok()
        };
        assert!(taken("application/octet-stream"));
        assert!(taken("application/octet-stream; charset=binary"));
        assert!(!taken("application/octet-stream2"));
        assert!(!taken("text/plain"));
        assert!(are_octets(&HeaderMap::new()).is_err());
    }
}
