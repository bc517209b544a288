//! Connections, and which certificates are believed on them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, redirect};

use super::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence this long on an open connection is the end of it. The answers are small; a node that deletes
/// a big cache may think for a while.
const READ_TIMEOUT: Duration = Duration::from_mins(2);

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// A bundle in PEM in place of the system's.
    pub bundle: Option<PathBuf>,
    /// Believe anyone.
    pub insecure: bool,
}

impl Trust {
    /// A client for one server. Certificates are looked at only where TLS is spoken, so that a host without
    /// any can still be asked in the clear.
    pub(super) fn client(&self, https: bool) -> Result<reqwest::Client> {
        // The first one installed stays; which one that was makes no difference.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("glance/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        let builder = match &self.bundle {
            _ if !https => builder.tls_backend_preconfigured(trusting_nobody()),
            _ if self.insecure => builder.tls_danger_accept_invalid_certs(true),
            Some(path) => builder.tls_certs_only(certificates(path)?),
            None => builder,
        };
        builder.build().map_err(Error::Tls)
    }
}

fn trusting_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let wrong = |reason: String| Error::Certificates {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
    if bundle.is_empty() {
        return Err(wrong("there are none in PEM form".to_owned()));
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let trust = Trust {
            bundle: Some(file.path().to_owned()),
            insecure: false,
        };
        let error = trust.client(true).unwrap_err().to_string();
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn plain_http_does_not_look_at_certificates() {
        let trust = Trust {
            bundle: Some("/nonexistent".into()),
            insecure: false,
        };
        assert!(trust.client(false).is_ok());
    }
}
