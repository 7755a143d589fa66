//! Every provider, with made-up accounts, and what a person or a store answers for them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sansession::provider::Provider;
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::{Consent, Expect, Gateway, Region, Takeover, WebApi};
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    BaseUrl, Credentials, Input, Machine, Need, NeedKind, Options, ResumeError, Session, Snapshot, Timestamp,
    machine::Totp,
};

use super::lawful::direct::{self, Vault};
use super::lawful::oauth2;

/// How many providers there are, counting each way to configure one.
pub const COUNT: u8 = 18;

/// Does something with a provider, whatever its type.
pub trait Visit {
    type Output;
    fn visit<P: Provider + Send + 'static>(self, provider: P) -> Self::Output;
}

/// Creates one of the providers.
pub fn visit<V: Visit>(which: u8, visitor: V) -> V::Output {
    match which % COUNT {
        0 => visitor.visit(cbrain()),
        1 => visitor.visit(gateway()),
        2 => visitor.visit(strict_gateway()),
        3 => visitor.visit(trade()),
        4 => visitor.visit(trade().consumer_secret("consumer-secret").unwrap().requests_code()),
        5 => visitor.visit(trade().consumer_secret("consumer-secret").unwrap().without_code()),
        6 => visitor.visit(neo()),
        7 => visitor.visit(neo().dashboard_token("dashboard-token").unwrap()),
        8 => visitor.visit(keyed().oauth1a.clone()),
        9 => visitor.visit(keyed().oauth2.clone()),
        10 => visitor.visit(keyed().consent.clone()),
        11 => visitor.visit(keyed().remote.clone()),
        other => visitor.visit(oauth2::grants()[usize::from(other - 12)].1()),
    }
}

/// The providers that have keys, which are made once, and the vault that has one's.
struct Keyed {
    oauth1a: Arc<WebApi>,
    oauth2: Arc<WebApi>,
    consent: Arc<Consent>,
    remote: Arc<WebApi>,
    vault: Vault,
}

fn keyed() -> &'static Keyed {
    static KEYED: OnceLock<Keyed> = OnceLock::new();
    KEYED.get_or_init(|| Keyed {
        oauth1a: direct::oauth1a_provider(),
        oauth2: direct::oauth2_provider(),
        consent: direct::consent_provider(),
        remote: direct::remote_provider(),
        vault: Vault::new(),
    })
}

pub fn cbrain() -> Cbrain {
    Cbrain::new(url("http://localhost:3000")).unwrap()
}

pub fn gateway() -> Gateway {
    Gateway::new(&url("https://localhost:5000/v1/api")).unwrap()
}

pub fn strict_gateway() -> Gateway {
    gateway()
        .region(Region::HongKong)
        .takeover(Takeover::Always { budget: 2, quiet: Duration::from_secs(60) })
        .expect(Expect { user: Some("tester".to_owned()), paper: Some(true) })
}

pub fn trade() -> TradeApi {
    TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "consumer-key").unwrap()
}

pub fn neo() -> Neo {
    Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap()
}

pub fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

/// Creates a new session with one of the providers.
pub fn session(which: u8, options: Options) -> Box<dyn Machine> {
    struct New(Options);
    impl Visit for New {
        type Output = Box<dyn Machine>;
        fn visit<P: Provider + Send + 'static>(self, provider: P) -> Box<dyn Machine> {
            Box::new(Session::new(provider, self.0, [7; 32]))
        }
    }
    visit(which, New(options))
}

/// Resumes a session with one of the providers.
pub fn resume(which: u8, text: &str, options: Options, now: Timestamp) -> Result<Box<dyn Machine>, ResumeError> {
    struct Resume<'a>(&'a str, Options, Timestamp);
    impl Visit for Resume<'_> {
        type Output = Result<Box<dyn Machine>, ResumeError>;
        fn visit<P: Provider + Send + 'static>(self, provider: P) -> Self::Output {
            let Self(text, options, now) = self;
            let session = Session::resume(provider, &Snapshot::from_text(text), options, None, [8; 32], now)?;
            Ok(Box::new(session))
        }
    }
    visit(which, Resume(text, options, now))
}

/// Returns what answers a need.
pub fn answer(need: &Need, now: Timestamp) -> Input {
    match need.kind {
        NeedKind::Credentials => Input::Credentials(Credentials::new("USER1", "correct horse").unwrap()),
        NeedKind::Totp => Input::Totp(Totp::new("123456", now).unwrap()),
        NeedKind::Pin => Input::Pin("654321".into()),
        NeedKind::GatewayToken => Input::Token("gateway-token".into()),
        NeedKind::Browser => Input::Done,
        NeedKind::Redirect => Input::Redirect(oauth2::redirect(need, 1).unwrap()),
        NeedKind::Takeover => Input::TakeOver,
        NeedKind::Signature | NeedKind::Decryption => keyed().vault.answer(need).unwrap(),
        _ => Input::Code("246810".into()),
    }
}
