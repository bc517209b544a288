//! How much one address and one project may ask of this process (`[request_limits]`): requests in a time, and
//! uploads at once. Who asks for more hears 429, and when to come again.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::RETRY_AFTER;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::proxy_headers::Sender;
use crate::config::Allowance;
use crate::domain::Caller;
use crate::server::fault::Fault;

/// Who is known, at most: about a hundred bytes each.
const MOST_KNOWN: usize = 16_384;
/// Nobody knows how long an upload takes.
const UPLOADS_END: Duration = Duration::from_secs(10);

/// What everybody of a kind may ask, and who has asked of late.
#[derive(Debug)]
pub struct Throttle {
    allowance: Allowance,
    known: Mutex<HashMap<String, Bucket>>,
}

/// What somebody has left.
#[derive(Debug)]
struct Bucket {
    requests: f64,
    /// When there were as many.
    at: Instant,
    uploads: u32,
}

/// An upload that runs.
#[derive(Debug)]
struct Uploading {
    throttle: Arc<Throttle>,
    who: String,
}

impl Throttle {
    /// None where everybody may ask as much as they want.
    pub fn new(allowance: Allowance) -> Option<Arc<Self>> {
        let limits = allowance.rate > 0.0 || allowance.uploads > 0;
        limits.then(|| {
            Arc::new(Self {
                allowance,
                known: Mutex::default(),
            })
        })
    }

    /// Counts a request, or says how long to wait for the next.
    fn admit(
        self: &Arc<Self>,
        who: String,
        is_upload: bool,
        now: Instant,
    ) -> Result<Option<Uploading>, Duration> {
        let Allowance { rate, uploads, .. } = self.allowance;
        let is_upload = is_upload && uploads > 0;
        let mut known = self.lock();
        if known.len() >= MOST_KNOWN && !known.contains_key(&who) {
            self.forget_some(&mut known, now);
        }
        let bucket = known.entry(who.clone()).or_insert_with(|| Bucket {
            requests: self.burst(),
            at: now,
            uploads: 0,
        });
        if is_upload && bucket.uploads >= uploads {
            return Err(UPLOADS_END);
        }
        if rate > 0.0 {
            bucket.requests = self.refilled(bucket, now);
            bucket.at = now;
            if bucket.requests < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - bucket.requests) / rate));
            }
            bucket.requests -= 1.0;
        }
        if !is_upload {
            return Ok(None);
        }
        bucket.uploads += 1;
        drop(known);
        let throttle = Arc::clone(self);
        Ok(Some(Uploading { throttle, who }))
    }

    fn burst(&self) -> f64 {
        match self.allowance.burst {
            0 => self.allowance.rate.ceil().max(1.0),
            burst => burst.into(),
        }
    }

    fn refilled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let brought = (now - bucket.at).as_secs_f64() * self.allowance.rate;
        (bucket.requests + brought).min(self.burst())
    }

    /// Forgets those who have all of their allowance again; where that is nobody, the half that was here longest
    /// ago. Who uploads stays.
    fn forget_some(&self, known: &mut HashMap<String, Bucket>, now: Instant) {
        known.retain(|_, bucket| bucket.uploads > 0 || self.refilled(bucket, now) < self.burst());
        if known.len() < MOST_KNOWN {
            return;
        }
        let mut times: Vec<_> = known.values().map(|bucket| bucket.at).collect();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        let middle = *middle;
        known.retain(|_, bucket| bucket.uploads > 0 || bucket.at > middle);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        if let Some(bucket) = self.throttle.lock().get_mut(&self.who) {
            bucket.uploads = bucket.uploads.saturating_sub(1);
        }
    }
}

/// The layer that looks at addresses, before anybody is asked who the caller is.
pub async fn by_address(
    State(throttle): State<Arc<Throttle>>,
    request: Request,
    next: Next,
) -> Response {
    let sender = request.extensions().get::<Sender>();
    let who = sender.map_or_else(String::new, |Sender(text)| neighbourhood(text));
    pass(&throttle, who, request, next).await
}

/// The layer that looks at projects, and at users where they have none.
pub async fn by_project(
    State(throttle): State<Arc<Throttle>>,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>();
    let who = caller.and_then(|caller| caller.project_id.clone().or(caller.user_id.clone()));
    pass(&throttle, who.unwrap_or_default(), request, next).await
}

async fn pass(throttle: &Arc<Throttle>, who: String, request: Request, next: Next) -> Response {
    match throttle.admit(who, is_upload(&request), Instant::now()) {
        Ok(uploading) => {
            let response = next.run(request).await;
            drop(uploading);
            response
        }
        Err(wait) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Fault::of(StatusCode::TOO_MANY_REQUESTS)
                .with(RETRY_AFTER, seconds.into())
                .into_response()
        }
    }
}

/// Whether a request brings data. An escaped slash is a slash in the end.
fn is_upload(request: &Request) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    let path = path.to_ascii_lowercase().replace("%2f", "/");
    request.method() == Method::PUT && (path.ends_with("/file") || path.ends_with("/stage"))
}

/// Whose address it is. In IPv6 everybody has a network of them.
fn neighbourhood(text: &str) -> String {
    let text = text.trim_matches('"');
    let address = text
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>());
    match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Ok(address) => address.to_string(),
        // A name that a proxy gave; it may be long.
        Err(_) => text.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(rate: f64, burst: u32, uploads: u32) -> Arc<Throttle> {
        let allowance = Allowance {
            rate,
            burst,
            uploads,
        };
        Throttle::new(allowance).unwrap()
    }

    fn admits(throttle: &Arc<Throttle>, who: &str, now: Instant) -> bool {
        throttle.admit(who.to_owned(), false, now).is_ok()
    }

    #[test]
    fn after_a_burst_requests_pass_as_fast_as_they_may() {
        let throttle = throttle(2.0, 3, 0);
        let start = Instant::now();
        for _ in 0..3 {
            assert!(admits(&throttle, "a", start));
        }
        let wait = throttle.admit("a".to_owned(), false, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert!(admits(&throttle, "b", start), "another one");
        assert!(!admits(&throttle, "a", start + Duration::from_millis(400)));
        assert!(admits(&throttle, "a", start + Duration::from_millis(500)));
        let later = start + Duration::from_mins(1);
        let passed = (0..9).filter(|_| admits(&throttle, "a", later)).count();
        assert_eq!(passed, 3, "no more than a burst after a pause");
    }

    #[test]
    fn an_upload_that_ends_makes_room_for_another() {
        let throttle = throttle(0.0, 0, 1);
        let now = Instant::now();
        let upload = throttle.admit("a".to_owned(), true, now).unwrap();
        assert!(upload.is_some());
        let wait = throttle.admit("a".to_owned(), true, now).unwrap_err();
        assert_eq!(wait, UPLOADS_END);
        assert!(admits(&throttle, "a", now), "it is no upload");
        drop(upload);
        assert!(throttle.admit("a".to_owned(), true, now).is_ok());
    }

    #[test]
    fn who_is_known_is_bounded_and_who_uploads_is_not_forgotten() {
        let throttle = throttle(1.0, 2, 1);
        let start = Instant::now();
        let upload = throttle.admit("a".to_owned(), true, start).unwrap();
        for number in 0..(2 * MOST_KNOWN as u64) {
            let now = start + Duration::from_micros(number);
            assert!(admits(&throttle, &number.to_string(), now));
            assert!(throttle.lock().len() <= MOST_KNOWN);
        }
        assert!(throttle.admit("a".to_owned(), true, start).is_err());
        drop(upload);
    }

    #[test]
    fn without_limits_nobody_is_counted() {
        assert!(Throttle::new(Allowance::default()).is_none());
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        for (text, who) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
            ("\"[2001:db8:1:2::9]:4711\"", "2001:db8:1:2::"),
            ("[2001:db8:1:2::9]", "2001:db8:1:2::"),
            ("_hidden", "_hidden"),
        ] {
            assert_eq!(neighbourhood(text), who, "{text}");
        }
    }
}
