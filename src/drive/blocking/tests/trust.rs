//! Whom a transport trusts.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Server, get, within};
use crate::drive::{Pin, Reason, SendError, TransportError, Trust, blocking::Transport};
use crate::{Failure, machine::FailureKind};

/// What a server shows.
struct Shown {
    pem: String,
    der: Vec<u8>,
    key: KeyPair,
}

fn certificate(names: &[&str], authority: bool) -> Shown {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.into()).collect::<Vec<_>>()).unwrap();
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Shown { pem: certificate.pem(), der: certificate.der().to_vec(), key }
}

/// Takes the version out of a certificate: what is left is one of version 1, with a signature that nobody checks.
fn of_version_1(shown: Shown) -> Shown {
    let version = [0xa0, 3, 2, 1, 2];
    let at = shown.der.windows(5).position(|bytes| bytes == version).unwrap();
    let mut der = [&shown.der[..at], &shown.der[at + 5..]].concat();
    for length in [2, 6] {
        assert_eq!(der[length - 1], 0x82);
        let less = u16::from_be_bytes([der[length], der[length + 1]]) - 5;
        der[length..length + 2].copy_from_slice(&less.to_be_bytes());
    }
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    Shown { pem: format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"), der, key: shown.key }
}

/// Shows a certificate without looking at it, as old servers do.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn server(chain: &[&[u8]], key: &KeyPair) -> Server {
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key)))));
    Server::tls(config)
}

fn ask(trust: Trust, server: &Server) -> Result<Vec<u8>, SendError> {
    let transport = Transport::builder().trust(trust).build().unwrap();
    transport.send_with(get(server.https()), within(5_000)).map(http::Response::into_body)
}

fn is_refused(trust: Trust, server: &Server) -> Reason {
    let error = ask(trust, server).unwrap_err();
    assert_eq!(error.failure, Failure::not_sent(FailureKind::Tls), "{error}");
    assert!(server.saw_nothing());
    error.reason
}

#[test]
fn a_pinned_certificate_needs_neither_name_nor_issuer_nor_role() {
    for (names, authority) in [
        (&["localhost"][..], false),
        (&["localhost"], true),
        (&[], true),
        (&[], false),
        (&["other.example.org"], false),
    ] {
        let shown = certificate(names, authority);
        let server = server(&[&shown.der], &shown.key);
        assert_eq!(
            ask(Trust::pin_pem(shown.pem.as_bytes()).unwrap(), &server).unwrap(),
            b"ok",
            "{names:?} {authority}"
        );
        assert_eq!(ask(Trust::pin(Pin::of(&shown.der)), &server).unwrap(), b"ok", "{names:?} {authority}");
    }
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused_and_named() {
    let (pinned, shown) = (certificate(&["localhost"], false), certificate(&["localhost"], false));
    let server = server(&[&shown.der], &shown.key);
    let reason = is_refused(Trust::pin(Pin::of(&pinned.der)), &server);
    assert_eq!(reason, Reason::OtherCertificate(Pin::of(&shown.der)));
    assert!(ask(Trust::pins([Pin::of(&pinned.der), Pin::of(&shown.der)]), &server).is_ok());
}

#[test]
fn the_pinned_certificate_without_its_key_is_refused() {
    let (pinned, other) = (certificate(&["localhost"], false), certificate(&["localhost"], false));
    is_refused(Trust::pin(Pin::of(&pinned.der)), &server(&[&pinned.der], &other.key));
}

#[test]
fn the_pinned_certificate_further_up_the_chain_is_refused() {
    let (pinned, shown) = (certificate(&[], true), certificate(&["localhost"], false));
    is_refused(Trust::pin(Pin::of(&pinned.der)), &server(&[&shown.der, &pinned.der], &shown.key));
}

#[test]
fn version_1_has_an_error_of_its_own() {
    let old = of_version_1(certificate(&["localhost"], false));
    let server = server(&[&old.der], &old.key);
    assert_eq!(Trust::pin_pem(old.pem.as_bytes()).unwrap_err(), TransportError::OldCertificate);
    assert_eq!(is_refused(Trust::pin(Pin::of(&old.der)), &server), Reason::OldCertificate);
    assert_eq!(ask(Trust::danger_anything_on_loopback(), &server).unwrap(), b"ok");
}

#[test]
fn a_root_vouches_for_others_but_not_as_a_server_itself() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &root).unwrap();
    let trust = Trust::roots_pem(root.pem().as_bytes()).unwrap();
    assert_eq!(ask(trust.clone(), &server(&[leaf.der()], &key)).unwrap(), b"ok");
    let elsewhere = CertificateParams::new(vec!["other.example.org".into()]).unwrap().signed_by(&key, &root).unwrap();
    is_refused(trust, &server(&[elsewhere.der()], &key));

    let gateway = certificate(&["localhost"], true);
    is_refused(Trust::roots_pem(gateway.pem.as_bytes()).unwrap(), &server(&[&gateway.der], &gateway.key));
}

#[test]
fn the_public_roots_do_not_know_a_certificate_of_ones_own_making() {
    let shown = certificate(&["localhost"], false);
    let server = server(&[&shown.der], &shown.key);
    is_refused(Trust::mozilla(), &server);
    is_refused(Trust::system(), &server);
}

#[test]
fn unverified_certificates_are_taken_on_loopback_only() {
    let shown = certificate(&[], true);
    let server = server(&[&shown.der], &shown.key);
    assert_eq!(ask(Trust::danger_anything_on_loopback(), &server).unwrap(), b"ok");

    let transport = Transport::builder().trust(Trust::danger_anything_on_loopback()).build().unwrap();
    let error = transport.send_with(get("https://192.0.2.1/"), within(5_000)).unwrap_err();
    assert_eq!((error.failure, error.reason), (Failure::not_sent(FailureKind::Tls), Reason::NotLoopback));
}
