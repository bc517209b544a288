//! Why a tool could not do its work, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::{cache, client, config, db, telemetry};

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
    #[error("No cache is configured")]
    NoCache,
    #[error("Image ID '{0}' is not a valid UUID.")]
    NotAnId(String),
    #[error("it would never be cached: {0}")]
    Unfetchable(String),
    #[error("No API answers on {address}, and the store cannot be read ({reason})")]
    NoWay { address: String, reason: String },
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

    fn advice(&self) -> Option<String> {
        match self {
            Error::Api(error) => api_advice(error),
            Error::Cache(_)
            | Error::Config(_)
            | Error::Database { .. }
            | Error::Log(_)
            | Error::Options(_)
            | Error::NotAnId(_)
            | Error::Unfetchable(_) => None,
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

fn api_advice(error: &client::Error) -> Option<String> {
    use client::Error as Api;
    Some(match error {
        Api::Unreachable { source, .. } => {
            let hint = "is glance-api running? --cache-dir works without it";
            match cause(source) {
                Cause::Refused => hint.to_owned(),
                Cause::NoTls => "it does not speak TLS; use http:// in its address".to_owned(),
                Cause::Certificate(why) => {
                    format!("{why}; --os-cacert names the authority to believe")
                }
                Cause::Other(why) => format!("{why}; {hint}"),
            }
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
        Api::Tls(source) => match cause(source) {
            Cause::Refused | Cause::NoTls => return None,
            Cause::Certificate(why) | Cause::Other(why) => why,
        },
        Api::Address(_) => {
            "give a host name, an address or a URL with -H, and the port with -p".to_owned()
        }
        Api::Refused { .. } | Api::Certificates { .. } => return None,
    })
}

/// What lies under a failed connection.
enum Cause {
    Refused,
    NoTls,
    Certificate(String),
    Other(String),
}

/// The innermost cause says most. TLS hides its own inside an `io::Error`, which does not name it as source.
fn cause(error: &(dyn std::error::Error + 'static)) -> Cause {
    let mut innermost = error;
    loop {
        let inside = innermost
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        match inside.or_else(|| innermost.source()) {
            Some(next) => innermost = next,
            None => break,
        }
    }
    let refused = innermost
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    match innermost.downcast_ref() {
        _ if refused => Cause::Refused,
        Some(rustls::Error::InvalidCertificate(why)) => {
            Cause::Certificate(format!("its certificate is not believed ({why:?})"))
        }
        Some(rustls::Error::InvalidMessage(_)) => Cause::NoTls,
        Some(_) | None => Cause::Other(innermost.to_string()),
    }
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
        // A port that was free a moment ago: nobody listens on it.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|socket| socket.local_addr())
            .unwrap()
            .port();
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
