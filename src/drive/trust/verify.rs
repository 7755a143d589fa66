//! Verifiers of one's own: certificates that are pinned, and any certificate on loopback.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Trust, Trusted, is_old};
use crate::drive::{Pin, Reason, TransportError};

/// Returns a configuration with a verifier of its own, where roots are not what is trusted.
pub(crate) fn verifier(trust: &Trust) -> Result<Option<Arc<ClientConfig>>, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let pins = match &trust.0 {
        Trusted::Mozilla | Trusted::System | Trusted::Roots(_) => return Ok(None),
        Trusted::Pins(pins) => Some(pins.clone()),
        Trusted::AnythingOnLoopback => None,
    };
    own_config(provider, Arc::new(Own { pins, algorithms })).map(Some)
}

/// Returns a configuration for whatever is trusted.
#[cfg(feature = "_clients")]
pub(crate) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TransportError> {
    if let Some(config) = verifier(trust)? {
        return Ok(config);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    match &trust.0 {
        Trusted::Roots(given) => {
            for root in given {
                roots.add(root.clone()).map_err(|_| TransportError::BadCertificate)?;
            }
        }
        Trusted::System => {
            let system = rustls_platform_verifier::Verifier::new(Arc::clone(&provider));
            return own_config(provider, Arc::new(system.map_err(|_| TransportError::Tls)?));
        }
        _ => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TransportError::Tls)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Takes a certificate for what it is, not for what it says: one of the pins, or any where there are none.
#[derive(Debug)]
struct Own {
    pins: Option<Vec<Pin>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Own {
    /// Verifies a signature, unless any certificate is taken: rustls cannot verify those of X.509 version 1.
    fn signed(
        &self,
        verify: impl FnOnce(&WebPkiSupportedAlgorithms) -> Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.pins.is_some() { verify(&self.algorithms) } else { Ok(HandshakeSignatureValid::assertion()) }
    }
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(pins) = &self.pins else { return Ok(ServerCertVerified::assertion()) };
        let found = Pin::of(end_entity);
        if !pins.contains(&found) {
            return Err(refuse(Reason::OtherCertificate(found)));
        }
        if is_old(end_entity) {
            return Err(refuse(Reason::OldCertificate));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(|algorithms| verify_tls12_signature(message, certificate, signature, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(|algorithms| verify_tls13_signature(message, certificate, signature, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn own_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<Arc<ClientConfig>, TransportError> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TransportError::Tls)?;
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

fn refuse(reason: Reason) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

/// Returns what a verifier of this crate said, or rustls' own words, which quote names and dates only.
pub(crate) fn reason(error: &rustls::Error) -> Reason {
    if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = error
        && let Some(reason) = other.0.downcast_ref::<Reason>()
    {
        return reason.clone();
    }
    Reason::Text(error.to_string().into())
}
