//! Whom a file of certificates makes believable.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// Believes who was signed by a certificate of the file, and who shows a certificate of the file itself.
///
/// The second is what a server has that signed its own: `openssl req -x509` makes one that claims to be an
/// authority, and such a one is refused as a server's by the rules for authorities. Who put it into the file
/// meant it, as `curl --cacert` has it.
#[derive(Debug)]
pub struct Believed {
    signed: Arc<WebPkiServerVerifier>,
    themselves: Vec<CertificateDer<'static>>,
}

impl Believed {
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let added = roots.add(certificate.clone());
            added.map_err(|error| error.to_string())?;
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error: VerifierBuilderError| error.to_string())?;
        Ok(Self {
            signed,
            themselves: certificates,
        })
    }
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = match self.signed.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            Err(error) if is_about_the_signer(&error) => error,
            verdict => return verdict,
        };
        if !self.themselves.contains(end_entity) {
            return Err(refused);
        }
        // When it is valid was looked at before who signed it; its name would have come after.
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Whether all that is wrong with a certificate is who signed it, itself for one.
fn is_about_the_signer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// Why a certificate is not believed, in words, and whether it is for want of somebody who vouches for it.
pub fn distrust(why: &CertificateError) -> (String, bool) {
    use CertificateError as Why;
    let words = match why {
        Why::Expired | Why::ExpiredContext { .. } => "it has expired",
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock of this machine is wrong"
        }
        Why::Revoked => "it was revoked",
        Why::BadEncoding => "it cannot be read",
        Why::BadSignature => "its signature is wrong",
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => "it is not for servers",
        Why::NotValidForName => "it is for another name",
        Why::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it names no host (it has no subjectAltName)"
        }
        Why::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().map(|name| host(name)).collect();
            return (format!("it is for {}", names.join(", ")), false);
        }
        Why::UnknownIssuer => return ("nobody who is trusted signed it".to_owned(), true),
        Why::Other(OtherError(other)) => {
            return match other.downcast_ref() {
                Some(webpki::Error::CaUsedAsEndEntity) => {
                    ("it is self-signed and not known".to_owned(), true)
                }
                _ => (other.to_string(), false),
            };
        }
        other => return (other.to_string(), false),
    };
    (words.to_owned(), false)
}

/// `DnsName("a.example")` and `IpAddress(127.0.0.1)`, as the verifier tells them, without the wrapping.
fn host(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}
