//! Until when the certificate of a server is valid.
#![expect(clippy::disallowed_types, reason = "a tool has sockets")]

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use sansession::Timestamp;

/// Returns the end of the certificate that a server shows. Nothing is sent but the handshake, so whoever it is may answer.
pub fn end(address: SocketAddr, host: &str, patience: Duration) -> Option<Timestamp> {
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().ok()?;
    let look = Arc::new(Look(provider));
    let config = config.dangerous().with_custom_certificate_verifier(look).with_no_client_auth();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.set_write_timeout(Some(patience)).ok()?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    not_after(connection.peer_certificates()?.first()?)
}

/// Looks at certificates and believes nobody: what the session trusts is checked elsewhere.
#[derive(Debug)]
struct Look(Arc<CryptoProvider>);

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Reads the end of a certificate's validity (RFC 5280, 4.1).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // A version, the serial number, the algorithm and the issuer come before.
    let (tag, _, after) = element(fields)?;
    if tag == 0xa0 {
        fields = after;
    }
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (_, _, end) = element(validity)?;
    let (tag, end, _) = element(end)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

/// Splits the first element of DER off: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (size, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let known = size.len() <= 4;
        length = known.then(|| size.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))?;
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// Reads `UTCTime`, whose years have two digits, or `GeneralizedTime`.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let field = |at: usize| rest.get(at..at + 2);
    let month = MONTHS.get(field(0)?.parse::<usize>().ok()?.checked_sub(1)?)?;
    let [day, hour, minute, second] = [field(2)?, field(4)?, field(6)?, field(8)?];
    // The day of the week is nobody's business.
    Timestamp::from_http_date(&format!("Mon, {day} {month} {year:04} {hour}:{minute}:{second} GMT"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        // Both forms: the second one begins with the year 2050.
        for (until, seconds) in
            [((2031, 2, 3), 1_927_843_200), ((2049, 12, 31), 2_524_521_600), ((2107, 1, 1), 4_323_283_200)]
        {
            assert_eq!(not_after(&made(until)), Some(Timestamp::from_secs(seconds)), "{until:?}");
        }
        let whole = made((2031, 2, 3));
        let read: Vec<_> = (0..whole.len()).filter(|length| not_after(&whole[..*length]).is_some()).collect();
        assert!(read.is_empty(), "{read:?}");
        for (tag, text) in
            [(0x17, "310203"), (0x17, "311303000000Z"), (0x18, "2031ab03000000Z"), (0x04, "310203000000Z")]
        {
            assert_eq!(time(tag, text), None, "{text}");
        }
    }
}
