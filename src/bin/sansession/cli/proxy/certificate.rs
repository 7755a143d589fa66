//! The certificate of `https` on this machine: made at the first start, and kept, so that clients trust it once.
//!
//! It is signed by an authority that is made for it and whose key is thrown away: whoever trusts that one trusts nothing
//! else by it, which it says besides, being for this machine's own names alone.

use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sansession::drive::Pin;

use crate::cli::{Usage, own, places};

/// The names of this machine that a client may call.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// Clients that have it in their code are to find it there for years, and the clock of a machine may be wrong.
const FROM: (i32, u8, u8) = (2020, 1, 1);
const UNTIL: (i32, u8, u8) = (2049, 12, 31);

/// A certificate with its key.
pub struct Certificate {
    pub config: Arc<ServerConfig>,
    /// What clients see of it.
    pub fingerprint: Pin,
    /// The authority that clients may trust.
    pub authority: String,
}

impl Certificate {
    /// Takes the one that is kept, or makes it.
    pub fn kept() -> Result<Self, Usage> {
        let path = places::sessions()?.join("proxy.pem");
        let named = |error: io::Error| Usage(format!("{}: {error}", path.display()));
        let text = match read(&path).map_err(named)? {
            Some(text) => text,
            None => {
                keep(&path, &made().map_err(named)?).map_err(named)?;
                read(&path).map_err(named)?.unwrap_or_default()
            }
        };
        Self::parse(&text).ok_or_else(|| {
            Usage(format!("{}: is no certificate of this program; without that file it makes one", path.display()))
        })
    }

    /// Reads the authority, the certificate and its key, in this order.
    fn parse(text: &str) -> Option<Self> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let [_, shown] = certificates.ok()?.try_into().ok()?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let end = "-----END CERTIFICATE-----\n";
        let authority = text.get(..text.find(end)? + end.len())?.to_owned();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let fingerprint = Pin::of(&shown);
        let mut config = config.with_no_client_auth().with_single_cert(vec![shown], key).ok()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(Self { config: Arc::new(config), fingerprint, authority })
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let Some(mut file) = own::open(path)? else { return Ok(None) };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Writes the file as a whole. Of two processes that do so at once, the first one has made the certificate of both.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    match new.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

fn made() -> io::Result<String> {
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(FROM.0, FROM.1, FROM.2);
        params.not_after = rcgen::date_time_ymd(UNTIL.0, UNTIL.1, UNTIL.2);
        params
    };
    let made = || {
        let (authority_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut authority = named("sansession, on this machine alone");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("localhost".into()),
                GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 1], [255; 4])),
            ],
            excluded_subtrees: Vec::new(),
        });
        let mut shown = named("localhost");
        shown.subject_alt_names = CertificateParams::new(NAMES.map(String::from))?.subject_alt_names;
        shown.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        shown.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        shown.use_authority_key_identifier_extension = true;
        let certificate = authority.self_signed(&authority_key)?;
        let shown = shown.signed_by(&key, &Issuer::from_params(&authority, &authority_key))?;
        Ok([certificate.pem(), shown.pem(), key.serialize_pem()].concat().replace("\r\n", "\n"))
    };
    made().map_err(|error: rcgen::Error| io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_and_nothing_else_is() {
        let text = made().unwrap();
        let certificate = Certificate::parse(&text).unwrap();
        assert_eq!(certificate.authority.matches("-----BEGIN").count(), 1);
        assert!(!certificate.authority.contains("KEY"));
        let other = made().unwrap();
        assert_ne!(Certificate::parse(&other).unwrap().fingerprint, certificate.fingerprint);
        let (all, key) = text.split_at(text.find("-----BEGIN PRIVATE").unwrap());
        let foreign = &other[other.find("-----BEGIN PRIVATE").unwrap()..];
        for text in ["", all, key, &certificate.authority, &format!("{all}{foreign}")] {
            assert!(Certificate::parse(text).is_none(), "{text}");
        }
    }
}
