//! Connections, and which certificates are believed on them.

use std::error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::believed::{self, Believed};
use super::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence this long on an open connection is the end of it. The answers are small; a node that deletes
/// a big cache may think for a while.
const READ_TIMEOUT: Duration = Duration::from_mins(2);
/// A token with the catalogue of a big cloud has a few hundred kilobytes.
const MAX_BODY: usize = 8 << 20;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// A bundle in PEM in place of the system's.
    pub bundle: Option<PathBuf>,
    /// Believe anyone.
    pub insecure: bool,
    /// What we show of ourselves: a certificate and its key, in PEM.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl Trust {
    /// A client for one server. Certificates are looked at only where TLS is spoken, so that a host without
    /// any can still be asked in the clear.
    pub(super) fn client(&self, https: bool) -> Result<reqwest::Client> {
        // The first one installed stays; which one that was makes no difference.
        let _ = ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("glance/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        let builder = match &self.bundle {
            _ if !https => builder.tls_backend_preconfigured(trusting_nobody()),
            _ if self.insecure => self.shown(builder)?.tls_danger_accept_invalid_certs(true),
            Some(path) => builder.tls_backend_preconfigured(self.trusting(path)?),
            None => self.shown(builder)?,
        };
        builder.build().map_err(Error::Tls)
    }

    fn shown(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder> {
        let Some((certificate, key)) = &self.own else {
            return Ok(builder);
        };
        let pem = [read(certificate)?, read(key)?].join(&b'\n');
        let identity = reqwest::Identity::from_pem(&pem).map_err(|_| Error::Certificates {
            path: certificate.clone(),
            reason: "no certificate with its key".to_owned(),
        })?;
        Ok(builder.identity(identity))
    }

    /// Trust in the certificates of a file in PEM, alone.
    fn trusting(&self, path: &Path) -> Result<ClientConfig> {
        let certificates = certificates(path)?;
        let wrong = |path: &Path, reason: String| Error::Certificates {
            path: path.to_owned(),
            reason,
        };
        let provider = Arc::new(ring::default_provider());
        let believed = Believed::new(certificates, Arc::clone(&provider))
            .map_err(|reason| wrong(path, reason))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Protocol)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(believed));
        let Some((own, key)) = &self.own else {
            return Ok(config.with_no_client_auth());
        };
        let private = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| wrong(key, error.to_string()))?;
        config
            .with_client_auth_cert(self::certificates(own)?, private)
            .map_err(|error| wrong(own, error.to_string()))
    }
}

fn trusting_nobody() -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::Certificates {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |reason: String| Error::Certificates {
        path: path.to_owned(),
        reason,
    };
    let certificates = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("there are none in PEM form".to_owned()));
    }
    Ok(certificates)
}

/// An answer's body, or none where it is longer than any that makes sense.
pub(super) async fn body(mut answer: reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Why the certificate of a server was not believed, where that is why it was not asked; and whether it is
/// for want of somebody who vouches for it.
pub(super) fn distrust(error: &reqwest::Error) -> Option<(String, bool)> {
    match innermost(error).downcast_ref() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(believed::distrust(why)),
        Some(_) | None => None,
    }
}

/// The innermost cause says most. TLS hides its own inside an `io::Error`, which does not name it as source.
pub fn innermost<'a>(error: &'a (dyn error::Error + 'static)) -> &'a (dyn error::Error + 'static) {
    let mut innermost = error;
    loop {
        let inside = innermost
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn error::Error + 'static));
        match inside.or_else(|| innermost.source()) {
            Some(next) => innermost = next,
            None => return innermost,
        }
    }
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
            own: None,
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
            own: None,
        };
        assert!(trust.client(false).is_ok());
    }
}
