//! What the values of options are read as.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use sansession::machine::Ends;
use sansession::providers::ibkr::{OrElse, Takeover};

/// The longest time that anybody means.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A time that may have no end.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub Option<Duration>);

/// Reads a number of seconds, or a time as people write it.
pub fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .unwrap_or_else(|| humantime::parse_duration(text).ok())
        .filter(|time| *time <= CENTURY)
        .ok_or_else(|| "neither a number of seconds nor a time as in 2m or 1h30m".into())
}

pub fn keepalive(text: &str) -> Result<Duration, String> {
    time(text)
        .and_then(|every| if every < Duration::from_secs(1) { Err("at least 1 second".into()) } else { Ok(every) })
}

pub fn patience(text: &str) -> Result<Duration, String> {
    let patience = time(text)?;
    if patience.is_zero() { Err("more than 0 seconds, or nothing could be tried".into()) } else { Ok(patience) }
}

pub fn open_patience(text: &str) -> Result<Patience, String> {
    Ok(Patience(if text == "none" { None } else { Some(patience(text)?) }))
}

/// Where a proxy listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    pub address: SocketAddr,
    /// Whether by https.
    pub tls: bool,
}

/// Reads where to listen: at this machine's own address and no other.
pub fn loopback(text: &str) -> Result<Listen, String> {
    let (tls, text) = match text.split_once("://") {
        None => (false, text),
        Some(("http", rest)) => (false, rest.trim_end_matches('/')),
        Some(("https", rest)) => (true, rest.trim_end_matches('/')),
        Some(_) => return Err("http or https".into()),
    };
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr =
        named.as_deref().unwrap_or(text).parse().map_err(|_| "no address and port; 127.0.0.1:0 takes a free one")?;
    if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return Ok(Listen { address, tls });
    }
    Err("only 127.0.0.1, since whoever reaches it could use the session".into())
}

pub fn user(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("the name of a user, without spaces".into());
    }
    Ok(text.to_owned())
}

pub fn takeover() -> impl TypedValueParser<Value = Takeover> {
    PossibleValuesParser::new(["never", "wait", "always"]).map(|how| match how.as_str() {
        "wait" => Takeover::Never { then: OrElse::Wait },
        "always" => Takeover::ALWAYS,
        _ => Takeover::Never { then: OrElse::Close },
    })
}

pub fn ends() -> impl TypedValueParser<Value = Ends> {
    PossibleValuesParser::new(["opened", "always", "never"]).map(|how| match how.as_str() {
        "always" => Ends::Always,
        "never" => Ends::Never,
        _ => Ends::Opened,
    })
}

/// Reads the kind of an account; whether it is one with paper money.
pub fn paper() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["paper", "live"]).map(|kind| kind == "paper")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_as_people_write_it() {
        for (text, millis) in [
            ("0", 0),
            ("3", 3_000),
            ("0.25", 250),
            ("1e3", 1_000_000),
            ("+5", 5_000),
            ("3s", 3_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("2days", 172_800_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "nan", "inf", "1e300", "soon", "2 fortnights", "200years", "1h30"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
