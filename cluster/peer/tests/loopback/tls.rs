//! Certificates that fit, and that do not.

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use spanloom_peer::{ClientTls, DialOptions, Identity, Peer, PeerError, ServeOptions, ServerTls, TlsError};
use std::sync::Arc;

use crate::fake::{Fake, Mood, Server, find, push};

type Ca = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key.
struct Pair {
    certificates: String,
    key: String,
}

impl Pair {
    fn identity(&self) -> Identity<'_> {
        Identity { certificates: self.certificates.as_bytes(), key: self.key.as_bytes() }
    }
}

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed_by(ca: &Ca, name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, ca).unwrap();
    Pair { certificates: certificate.pem(), key: key.serialize_pem() }
}

async fn serve(pair: &Pair, client_ca: Option<&Ca>) -> Server {
    let pem = client_ca.map(|ca| ca.pem());
    let tls = Some(ServerTls::new(pair.identity(), pem.as_ref().map(|pem| pem.as_bytes())).unwrap());
    Server::start(Fake::new(Mood::Answer), ServeOptions { tls, ..ServeOptions::default() }).await
}

fn dial(server: &Server, ca: &Ca, pair: Option<&Pair>, name: Option<&str>) -> Arc<dyn Peer> {
    let tls = Some(ClientTls::new(ca.pem().as_bytes(), pair.map(Pair::identity), name).unwrap());
    server.dial(DialOptions { tls, ..DialOptions::default() })
}

async fn refused(peer: Arc<dyn Peer>) {
    for _ in 0..2 {
        let answer = peer.find_trace(find()).await;
        assert!(matches!(answer, Err(PeerError::Unreachable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn nodes_with_certificates_of_one_ca_talk() {
    let ca = ca();
    let (server_pair, client_pair) = (signed_by(&ca, "127.0.0.1"), signed_by(&ca, "anything"));
    let server = serve(&server_pair, Some(&ca)).await;
    let peer = dial(&server, &ca, Some(&client_pair), None);
    assert!(peer.find_trace(find()).await.is_ok());
    let large = Bytes::from(vec![3; 5 << 20]);
    assert_eq!(peer.push(push(large)).await.unwrap().spans, 5 << 20);
    server.stop().await;
}

#[tokio::test]
async fn the_servers_name_may_be_another_than_its_address() {
    let ca = ca();
    let server = serve(&signed_by(&ca, "peers.example"), None).await;
    refused(dial(&server, &ca, None, None)).await;
    refused(dial(&server, &ca, None, Some("other.example"))).await;
    assert!(dial(&server, &ca, None, Some("peers.example")).find_trace(find()).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn strangers_are_refused_and_disturb_nobody() {
    let (ca, other) = (ca(), ca());
    let pair = |ca: &Ca| signed_by(ca, "127.0.0.1");
    let server = serve(&pair(&ca), Some(&ca)).await;
    let good = dial(&server, &ca, Some(&pair(&ca)), None);
    assert!(good.find_trace(find()).await.is_ok());
    refused(dial(&server, &ca, None, None)).await; // no certificate
    refused(dial(&server, &ca, Some(&pair(&other)), None)).await; // another CA's
    refused(dial(&server, &other, Some(&pair(&ca)), None)).await; // does not trust the server
    refused(server.dial(DialOptions::default())).await; // no TLS
    assert!(good.find_trace(find()).await.is_ok());
    server.stop().await;
    let plain = Server::start(Fake::new(Mood::Answer), ServeOptions::default()).await;
    refused(dial(&plain, &ca, Some(&pair(&ca)), None)).await; // TLS where there is none
    plain.stop().await;
}

#[test]
fn certificates_and_keys_are_checked_when_they_are_read() {
    let ca = ca();
    let (one, two) = (signed_by(&ca, "a"), signed_by(&ca, "b"));
    let mixed = Identity { certificates: one.certificates.as_bytes(), key: two.key.as_bytes() };
    assert!(matches!(ServerTls::new(mixed, None), Err(TlsError::Unusable { .. })));
    assert!(matches!(ClientTls::new(ca.pem().as_bytes(), Some(mixed), None), Err(TlsError::Unusable { .. })));
    let keyless = Identity { certificates: one.certificates.as_bytes(), key: b"" };
    assert!(matches!(ServerTls::new(keyless, None), Err(TlsError::Pem { what: "the key", .. })));
    let name = ClientTls::new(ca.pem().as_bytes(), None, Some("a b"));
    assert!(matches!(name, Err(TlsError::ServerName(_))));
}
