//! TLS between nodes: rustls with ring, version 1.3, certificates and keys as PEM. With a CA on both sides each end
//! proves who it is.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The protocol that both ends agree on.
const ALPN: &[u8] = b"h2";

/// Why certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or nothing in it.
    #[error("{what} is no PEM, or has no such item: {problem}")]
    Pem {
        /// Which of the files.
        what: &'static str,
        /// What was found.
        problem: String,
    },
    /// A certificate that rustls refuses, or a key that is not the certificate's.
    #[error("{what} cannot be used: {problem}")]
    Unusable {
        /// Which of the files.
        what: &'static str,
        /// What was found.
        problem: String,
    },
    /// Neither a DNS name nor an address.
    #[error("{0:?} is no server name, expected a DNS name or an IP address")]
    ServerName(String),
}

/// A certificate chain, the end's own first, and its key; both PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The chain.
    pub certificates: &'a [u8],
    /// The key: PKCS #8, PKCS #1 or SEC1.
    pub key: &'a [u8],
}

/// What a node proves itself with, and whom it lets in. Checked; clones share it.
#[derive(Clone)]
pub struct ServerTls(pub(crate) Arc<ServerConfig>);

/// What a node proves itself with, and whom it trusts. Checked; clones share it.
#[derive(Clone)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: Option<ServerName<'static>>,
}

impl ServerTls {
    /// With `client_ca`, only those are let in whose certificate one of its CAs has signed.
    pub fn new(identity: Identity<'_>, client_ca: Option<&[u8]>) -> Result<Self, TlsError> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable("TLS 1.3", error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = roots(pem, "the CA of clients")?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|error| unusable("the CA of clients", error))?,
                )
            }
        };
        let (chain, key) = read(identity)?;
        let mut config =
            builder.with_single_cert(chain, key).map_err(|error| unusable("the certificate", error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl ClientTls {
    /// Trusts servers whose certificate one of the CAs in `ca` has signed for `server_name`, by custom the host of
    /// the address that is dialled. `identity` is for servers that ask for one.
    pub fn new(
        ca: &[u8],
        identity: Option<Identity<'_>>,
        server_name: Option<&str>,
    ) -> Result<Self, TlsError> {
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(ca, "the CA")?, provider.clone())
            .build()
            .map_err(|error| unusable("the CA", error))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable("TLS 1.3", error))?
            .with_webpki_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = read(identity)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unusable("the certificate", error))?
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        let server_name = server_name.map(parse_name).transpose()?;
        Ok(Self { config: Arc::new(config), server_name })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// A name to be verified.
pub(crate) fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let plain = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(plain.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(what: &'static str, error: impl fmt::Display) -> TlsError {
    TlsError::Unusable { what, problem: error.to_string() }
}

fn roots(pem: &[u8], what: &'static str) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, what)? {
        roots.add(certificate).map_err(|error| unusable(what, error))?;
    }
    Ok(Arc::new(roots))
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsError::Pem { what, problem: error.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::Pem { what, problem: "no certificate".to_owned() });
    }
    Ok(found)
}

fn read(identity: Identity<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificates(identity.certificates, "the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key)
        .map_err(|error| TlsError::Pem { what: "the key", problem: error.to_string() })?;
    Ok((chain, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pem_is_refused_with_its_name() {
        let nothing = Identity { certificates: b"", key: b"" };
        let check = |found: TlsError, expected: &str| assert_eq!(found.to_string(), expected);
        let none = "is no PEM, or has no such item: no certificate";
        check(ServerTls::new(nothing, None).unwrap_err(), &format!("the certificate {none}"));
        check(ServerTls::new(nothing, Some(b"x")).unwrap_err(), &format!("the CA of clients {none}"));
        check(ClientTls::new(b"-----", None, None).unwrap_err(), &format!("the CA {none}"));
    }

    #[test]
    fn names_and_addresses_are_server_names() {
        for good in ["localhost", "10.0.0.1", "[::1]", "a.example"] {
            assert!(parse_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:1", "/"] {
            assert!(parse_name(bad).is_err(), "{bad}");
        }
    }
}
