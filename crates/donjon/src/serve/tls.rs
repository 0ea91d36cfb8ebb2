//! TLS, ended by the server itself with rustls.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a client may take for the handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// The protocol that follows the handshake (RFC 7301), and the only one that this server speaks.
const ALPN: &[u8] = b"http/1.1";

/// How a server shows who it is, as a parsed value; clones share it.
///
/// ```no_run
/// # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
/// use donjon::serve::{Server, Tls, shutdown_signal};
///
/// let tls = Tls::pem(&std::fs::read("fullchain.pem")?, &std::fs::read("privkey.pem")?)?;
/// let listener = tokio::net::TcpListener::bind(("0.0.0.0", 443)).await?;
/// Server::new(listener, axum::Router::new()).tls(tls).run_until(shutdown_signal()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    deadline: Duration,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with this certificate, the issuers' certificates behind it, and its key, both
    /// as PEM: what an ACME client writes as `fullchain.pem` and `privkey.pem`. No client is asked
    /// for a certificate.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates = chain(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey,
            // Its words could show a piece of the key.
            _ => TlsError::KeyMalformed,
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key));
        config.map(Self::new).map_err(TlsError::Refused)
    }

    /// TLS as rustls is configured here: with certificates that are renewed while the server runs,
    /// chosen by the client's SNI, or asked of the client. The protocol is always HTTP/1.1.
    #[must_use]
    pub fn new(mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![ALPN.to_vec()];
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), deadline: HANDSHAKE_DEADLINE }
    }

    /// How long a client may take for the handshake. Without this call: [`HANDSHAKE_DEADLINE`].
    #[must_use]
    pub fn handshake_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The connection, once the client has shaken hands.
    pub(super) async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        timeout(self.deadline, self.acceptor.accept(stream)).await?
    }
}

fn chain(certificates: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(TlsError::NoCertificate),
        Ok(chain) => Ok(chain),
        Err(_) => Err(TlsError::CertificateMalformed),
    }
}

/// A certificate or key that a server can't be run with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no certificate.
    NoCertificate,
    /// A certificate is cut off or damaged.
    CertificateMalformed,
    /// There is no private key.
    NoKey,
    /// The private key is cut off or damaged.
    KeyMalformed,
    /// rustls does not take them, say because the key belongs to another certificate.
    Refused(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str(
                "there is no certificate: expected PEM with \"-----BEGIN CERTIFICATE-----\", the site's own first",
            ),
            Self::CertificateMalformed => {
                f.write_str("a certificate is cut off or damaged: expected whole PEM sections")
            }
            Self::NoKey => f.write_str(
                "there is no private key: expected PEM with \"-----BEGIN PRIVATE KEY-----\", not encrypted",
            ),
            Self::KeyMalformed => {
                f.write_str("the private key is cut off or damaged: expected one whole PEM section")
            }
            Self::Refused(error) => write!(f, "certificate and key can't be used together: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn certificate() -> (String, String) {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn error(certificates: &str, key: &str) -> TlsError {
        Tls::pem(certificates.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn rule_5_what_is_no_certificate_and_key_is_an_error_at_start_up() {
        let (certificate, key) = certificate();
        assert!(Tls::pem(certificate.as_bytes(), key.as_bytes()).is_ok());
        assert_eq!(error("", &key), TlsError::NoCertificate);
        assert_eq!(error(&key, &key), TlsError::NoCertificate);
        assert_eq!(error(&certificate[..200], &key), TlsError::CertificateMalformed);
        assert_eq!(error(&certificate, ""), TlsError::NoKey);
        assert_eq!(error(&certificate, &certificate), TlsError::NoKey);
        assert_eq!(error(&certificate, &key[..80]), TlsError::KeyMalformed);
    }

    #[test]
    fn rule_5_a_key_of_another_certificate_is_an_error() {
        let ((mine, _), (_, other)) = (certificate(), certificate());
        assert!(matches!(error(&mine, &other), TlsError::Refused(_)));
    }

    #[test]
    fn a_damaged_key_is_never_shown() {
        let (certificate, key) = certificate();
        let secret = &key[40..60];
        let damaged = key.replace("-----END", "!!!!-END");
        let error = error(&certificate, &damaged);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}
