//! The certificate that a simulator shows.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What kind of self-signed certificate a server shows.
///
/// Real gateways show certificates that a strict client refuses even where their owner trusts them,
/// so clients that pin one need to be tried against each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Certificate {
    /// An end entity for `localhost` and `127.0.0.1`: given as a root, it is accepted.
    #[default]
    Plain,
    /// One with `CA:TRUE`, as `openssl req -x509` makes it: given as a root, it is no end entity.
    Authority,
    /// One without a subject alternative name, as old tools make it: it fits no host.
    NoNames,
}

/// A certificate with its key, ready to be shown.
pub(super) struct Identity {
    pem: String,
    der: CertificateDer<'static>,
    config: Arc<rustls::ServerConfig>,
}

impl Identity {
    pub(super) fn new(kind: Certificate) -> io::Result<Self> {
        let names: &[&str] = if kind == Certificate::NoNames { &[] } else { &["localhost", "127.0.0.1"] };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        if kind == Certificate::Authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let der = certificate.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { pem: certificate.pem(), der, config: Arc::new(config) })
    }

    pub(super) fn config(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.config)
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }
}
