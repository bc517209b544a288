//! `glance-cache-manage` and an API that speaks TLS: whom it believes, and what it says of whom it does not.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::{CACHE_MANAGE, Ended, run, tool};

const HERE: &str = "127.0.0.1";

/// A certificate with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

fn parameters(name: &str, authority: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    if authority {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    parameters
}

fn self_signed(parameters: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Identity {
        certificate: certificate.der().clone(),
        pem: certificate.pem(),
        key,
    }
}

/// A certificate for this machine by an authority, and the authority's own in PEM.
fn signed() -> (Identity, String) {
    let authority = parameters("authority.example", true);
    let authority_key = KeyPair::generate().unwrap();
    let its_own = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters(HERE, false).signed_by(&key, &issuer).unwrap();
    let identity = Identity {
        certificate: certificate.der().clone(),
        pem: certificate.pem(),
        key,
    };
    (identity, its_own)
}

/// An API over TLS with nothing cached.
struct Server {
    address: SocketAddr,
    home: TempDir,
    _runtime: Runtime,
}

impl Server {
    fn with(identity: &Identity) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((HERE, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), stream));
            }
        });
        Self {
            address,
            home: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        }
    }

    fn file(&self, pem: &str) -> PathBuf {
        let path = self.home.path().join("believed.pem");
        std::fs::write(&path, pem).unwrap();
        path
    }

    /// The listing, asked for by somebody who believes what is in `pem`.
    fn listed(&self, pem: &str) -> Ended {
        let host = format!("https://{}", self.address);
        let mut command = tool(CACHE_MANAGE);
        command.args(["list-cached", "-H", &host, "--os-cacert"]);
        run(command.arg(self.file(pem)))
    }
}

/// One answer to whoever gets as far as to ask.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        request.push(byte);
    }
    let body = "{\"cached_images\": []}";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Who went away misses nothing.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Asserts that a certificate was refused in words, and gives them.
#[track_caller]
fn refused(ended: Ended) -> String {
    let err = ended.failing(1);
    assert!(err.contains("is not believed: it "), "{err}");
    for word in ["CaUsed", "Unknown", "Context", "Other", "No API"] {
        assert!(!err.contains(word), "{err}");
    }
    err
}

#[test]
fn a_server_that_signed_its_own_certificate_is_believed_where_the_file_has_it() {
    for authority in [true, false] {
        let identity = self_signed(&parameters(HERE, authority));
        let listed = Server::with(&identity).listed(&identity.pem);
        assert_eq!(listed.quietly(), "No cached images.\n", "{authority}");
    }
}

#[test]
fn an_authority_vouches_for_a_server_and_so_does_its_very_certificate() {
    let (identity, authority) = signed();
    let server = Server::with(&identity);
    for pem in [
        &authority,
        &identity.pem,
        &(authority.clone() + &identity.pem),
    ] {
        assert_eq!(server.listed(pem).quietly(), "No cached images.\n");
    }
}

#[test]
fn whom_the_file_does_not_know_is_refused_and_the_file_named() {
    let stranger = self_signed(&parameters(HERE, true));
    let err = refused(Server::with(&self_signed(&parameters(HERE, true))).listed(&stranger.pem));
    assert!(
        err.contains("self-signed and not known: put it, or"),
        "{err}"
    );
    assert!(err.ends_with("believed.pem\n"), "{err}");
    assert!(!err.contains("--os-cacert"), "it was just given: {err}");
    // The key of another under the name of the one that is known is no better.
    let (identity, _) = signed();
    let server = Server::with(&identity);
    server.listed(&signed().1).failing(1);
}

#[test]
fn a_known_certificate_is_still_held_to_its_time_and_its_name() {
    for authority in [true, false] {
        let mut old = parameters(HERE, authority);
        (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
        let old = self_signed(&old);
        let err = refused(Server::with(&old).listed(&old.pem));
        assert!(err.ends_with("it has expired\n"), "{err}");

        let other = self_signed(&parameters("glance.example", authority));
        let err = refused(Server::with(&other).listed(&other.pem));
        assert!(err.ends_with("it is for glance.example\n"), "{err}");
    }
}

#[test]
fn without_a_file_the_option_for_it_is_named() {
    let server = Server::with(&self_signed(&parameters(HERE, true)));
    let host = format!("https://{}", server.address);
    let err = refused(run(tool(CACHE_MANAGE).args(["list-cached", "-H", &host])));
    assert!(err.contains("--os-cacert"), "{err}");
    let listed = run(tool(CACHE_MANAGE).args(["list-cached", "-k", "-H", &host]));
    assert_eq!(listed.quietly(), "No cached images.\n");
}

#[test]
fn who_speaks_in_the_clear_to_a_port_of_tls_hears_of_https() {
    let server = Server::with(&self_signed(&parameters(HERE, true)));
    let host = server.address.to_string();
    let err = run(tool(CACHE_MANAGE).args(["list-cached", "-H", &host])).failing(1);
    assert!(err.contains("use https:// in its address"), "{err}");
}
