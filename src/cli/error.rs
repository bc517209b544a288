//! Why a tool could not do its work, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use crate::domain::ImageId;
use crate::{cache, client, config, db, policy, telemetry};

pub type Result<T> = std::result::Result<T, Error>;

/// Why a tool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Api(#[from] client::Error),
    #[error(transparent)]
    Cache(#[from] cache::Error),
    #[error(transparent)]
    Config(#[from] config::Error),
    /// `url` without its password.
    #[error("{url}: {source}")]
    Database { url: String, source: db::Error },
    #[error(transparent)]
    Log(#[from] telemetry::Error),
    #[error("{0} is no directory")]
    NoDirectory(PathBuf),
    #[error("The database cannot be asked: {0}")]
    NoDatabase(String),
    #[error("No rule of prefetching is called {0:?}; there are: {1}")]
    NoRule(String, String),
    #[error("No cache is configured")]
    NoCache,
    #[error(transparent)]
    Policy(#[from] policy::Error),
    #[error("No image found with ID {0}")]
    NoSuchImage(ImageId),
    /// The tag and properties that were looked for.
    #[error("No image found with {0}")]
    NoneFound(String),
    #[error("Image ID '{0}' is not a valid UUID.")]
    NotAnId(String),
    #[error("No image is named: write its ID behind the command")]
    NoId,
    #[error("Image {0} is not in the list: --marker names the last image of the page before")]
    NoMarker(String),
    #[error("it would never be cached: {0}")]
    Unfetchable(String),
    #[error("No API answers on {address}, and the store cannot be read ({reason})")]
    NoWay { address: String, reason: String },
    #[error("{0} knows of no nodes to tell")]
    NoNodes(String),
    #[error("It pins no images: it is the original's, or an older one")]
    NoPins,
    #[error("It has not answered for {} seconds", .0.as_secs_f64())]
    Late(Duration),
    #[error("Nothing was done, for nobody answered")]
    NoAnswer,
    #[error("{0}")]
    Options(String),
    #[error("the results cannot be written")]
    Output(#[source] io::Error),
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
}

impl Error {
    /// The sentence for the operator: what happened, and what to do next where we know it.
    pub fn sentence(&self) -> String {
        let what = self.to_string();
        let what = what.trim_end();
        match self.advice() {
            Some(advice) => format!("{}: {advice}", what.trim_end_matches('.')),
            None => what.to_owned(),
        }
    }

    /// What lies under it, from the outside in, each once.
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            // TLS hides its own inside an `io::Error`, which does not name it as source.
            let inside = cause.downcast_ref().and_then(io::Error::get_ref);
            next = match inside {
                Some(inside) => Some(inside as &(dyn std::error::Error + 'static)),
                None => cause.source(),
            };
        }
        causes
    }

    fn advice(&self) -> Option<String> {
        match self {
            Error::Api(error) => api_advice(error),
            Error::Cache(cache::Error::Directory { source, .. }) => {
                directory_advice(source.kind()).map(str::to_owned)
            }
            Error::Config(_) | Error::Log(_) => self.causes().pop(),
            Error::Database { .. }
            | Error::Policy(_)
            | Error::NoSuchImage(_)
            | Error::NoneFound(_)
            | Error::NoDatabase(_)
            | Error::NoRule(..)
            | Error::Options(_)
            | Error::NoId
            | Error::NotAnId(_)
            | Error::NoMarker(_)
            | Error::NoPins
            | Error::Late(_)
            | Error::Unfetchable(_) => None,
            Error::NoNodes(_) => Some(
                "the original's service and older ones do not, and none does within a second of its first start; \
                 -H names another one"
                    .to_owned(),
            ),
            Error::NoDirectory(_) => Some(
                "it should be the image_cache_dir of glance-api, which makes it at its start"
                    .to_owned(),
            ),
            Error::NoCache => Some(
                "set image_cache_dir in glance-cache.conf or glance-api.conf, or name another file \
                 with --config-file"
                    .to_owned(),
            ),
            Error::NoWay { .. } => Some("is glance-api running?".to_owned()),
            Error::NoAnswer => Some("--force goes ahead without asking".to_owned()),
            Error::Output(source) | Error::Runtime(source) => Some(source.to_string()),
        }
    }
}

/// What helps where the cache directory cannot be used.
fn directory_advice(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::PermissionDenied => {
            "run this as the user that glance-api runs as, who owns it, or as root"
        }
        io::ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "its disk is full: glance-cache-pruner makes room, with a smaller image_cache_max_size"
        }
        io::ErrorKind::NotADirectory => {
            "something else stands where a directory of the cache should be: move it away"
        }
        _ => return None,
    })
}

fn api_advice(error: &client::Error) -> Option<String> {
    use client::Error as Api;
    Some(match error {
        Api::Unreachable { https, source, .. } => unreachable_advice(*https, source),
        Api::Untrusted {
            unknown: true,
            bundle: Some(bundle),
            ..
        } => format!(
            "put it, or the certificate of the authority that signed it, into {}",
            bundle.display()
        ),
        Api::Untrusted { unknown: true, .. } => {
            "--os-cacert (for the jobs [keystone_authtoken] cafile) names a file with it, or with \
             the authority that signed it"
                .to_owned()
        }
        Api::Unauthenticated { missing } if missing.is_empty() => {
            "the token or account is not (or no longer) accepted".to_owned()
        }
        Api::Unauthenticated { missing } => format!(
            "give --os-auth-token, or an account of Keystone (missing: {}), or the OS_* variables",
            missing.join(", ")
        ),
        Api::Forbidden(_) => {
            "the API's policy decides (manage_image_cache and cache_*, the administrator by default)"
                .to_owned()
        }
        Api::NotFound { .. } => {
            "the calls for the cache need image_cache_dir to be set, and a flavor with \
             cachemanagement such as keystone+cachemanagement"
                .to_owned()
        }
        Api::Unintelligible { .. } => "is it glance-api that listens there?".to_owned(),
        Api::NoToken { .. } => "look at --os-auth-url and the account that goes with it".to_owned(),
        Api::Tls(source) => client::innermost(source).to_string(),
        Api::Protocol(source) => source.to_string(),
        Api::Address(_) => {
            "give a host name, an address or a URL with -H, and the port with -p".to_owned()
        }
        Api::Refused { status, https, .. } => return refused_advice(*status, *https),
        Api::Untrusted { .. } | Api::Certificates { .. } => return None,
    })
}

fn unreachable_advice(https: bool, error: &reqwest::Error) -> String {
    let hint = "is glance-api running? --cache-dir works without it";
    let cause = client::innermost(error);
    let refused = cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let no_tls = matches!(cause.downcast_ref(), Some(rustls::Error::InvalidMessage(_)));
    if refused {
        hint.to_owned()
    } else if no_tls {
        "it does not speak TLS; use http:// in its address".to_owned()
    } else if !https && !error.is_connect() && !error.is_timeout() {
        format!("{cause}; if it speaks TLS, use https:// in its address (-H https://...)")
    } else {
        format!("{cause}; {hint}")
    }
}

/// What an answer hints at that the API itself never gives to a call of ours.
fn refused_advice(status: StatusCode, https: bool) -> Option<String> {
    Some(match status {
        StatusCode::MULTIPLE_CHOICES => {
            "the address leads to no version of the API: give it as -H http://HOST:PORT, with a path \
             only where a proxy serves it under one"
        }
        StatusCode::BAD_REQUEST if !https => {
            "if it speaks TLS, use https:// in its address (-H https://...)"
        }
        status if status.is_redirection() => "give the address that it leads to with -H",
        _ => return None,
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_no_credentials_is_told_which() {
        let error = Error::from(client::Error::Unauthenticated {
            missing: vec!["--os-password"],
        });
        assert_eq!(
            error.sentence(),
            "The API wants to know who is asking: give --os-auth-token, or an account of Keystone \
             (missing: --os-password), or the OS_* variables"
        );
    }

    #[test]
    fn a_sentence_ends_once() {
        let error = Error::from(client::Error::Forbidden(String::new()));
        assert!(
            error
                .sentence()
                .starts_with("Not authorized to make this request: the API's policy decides")
        );
    }

    #[tokio::test]
    async fn an_api_that_is_not_there_is_told_with_the_way_around_it() {
        // A socket that has a port and does not listen: nobody else gets it.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let port = held.local_addr().unwrap().port();
        let api = client::ImageApi::new(
            client::Address::new("0.0.0.0", port).unwrap(),
            client::Credentials::None { missing: vec![] },
            client::Trust::default(),
        )
        .unwrap();
        let error = Error::from(api.cached().await.unwrap_err());
        assert_eq!(
            error.sentence(),
            format!(
                "No API answers on 127.0.0.1:{port}: is glance-api running? --cache-dir works without it"
            )
        );
    }
}
