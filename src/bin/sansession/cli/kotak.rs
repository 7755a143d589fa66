//! Kotak's Trade API and Neo: what they need, and simulators that stand in for them.

use std::io::IsTerminal;
use std::time::Duration;

use sansession::drive::{Answer, now, seed};
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::{Shard, User};
use sansession::sim::{Server, kotak as sim};
use sansession::{
    BaseUrl, Input, Need, NeedKind, Secret, Session, Snapshot, Source,
    machine::{NeedReason, Rejection, Totp},
    totp,
};

use crate::cli::Usage;
use crate::cli::answers::{Again, Answers, explained, prompt_hidden, typed, variable};
use crate::cli::args::Args;
use crate::cli::served::Served;
use crate::cli::world::{self, World};

/// The embedded simulators' user and password.
const USER: &str = "ALICE";
const PASSWORD: &str = "wonderland";
const CONSUMER_KEY: &str = "simulated-key";
const CONSUMER_SECRET: &str = "simulated-secret";
const DASHBOARD_TOKEN: &str = "simulated-dashboard-token";
const MOBILE: &str = "+910000000000";
const MPIN: &str = "123456";
/// The key of RFC 6238's examples.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

const ACCESS_TOKEN: &str = "SANSESSION_ACCESS_TOKEN";
/// A code that is older than this when it arrives may be refused, which costs a try.
const CODE_LEFT: Duration = Duration::from_secs(2);

/// Answers that only these two need.
#[derive(Default)]
pub struct Codes {
    totp_secret: Option<Secret>,
    access_token: Option<Secret>,
    /// The access token that was given last: the same one would be refused again.
    given: Option<Secret>,
}

impl Codes {
    fn read() -> Result<Self, Usage> {
        let totp_secret = variable("SANSESSION_TOTP_SECRET")?;
        if let Some(secret) = &totp_secret {
            let no_secret = |_| Usage("SANSESSION_TOTP_SECRET: no Base32 (the letters A to Z and 2 to 7)".into());
            totp::code(secret, now()).map_err(no_secret)?;
        }
        let access_token = variable(ACCESS_TOKEN)?.map(|token| whole(ACCESS_TOKEN, token)).transpose()?;
        Ok(Self { totp_secret, access_token, given: None })
    }

    /// Answers a need for an authenticator's code or for a token of the gateway.
    pub fn answer(&mut self, need: &Need, code: &mut Option<Secret>, again: &mut Again, may_type: bool) -> Answer {
        let answer = match need.kind {
            NeedKind::Totp => self.code(need, code, again.is_left(need.kind), may_type),
            _ => self.token(may_type),
        };
        match answer {
            // `--again` is a person's word for an answer that a program keeps.
            Ok(Answer::Now(input, Source::Store)) if again.take(need.kind) => Answer::Now(input, Source::Person),
            Ok(answer) => answer,
            Err(rejection) => {
                eprintln!("{}", explained(need.kind, rejection));
                Answer::GiveUp
            }
        }
    }

    fn code(&self, need: &Need, code: &mut Option<Secret>, again: bool, may_type: bool) -> Result<Answer, Rejection> {
        if let Some(secret) = &self.totp_secret {
            let at = now();
            // After a refusal no program's code is taken, so there is no use in waiting for the next one.
            let spoilt = need.because != NeedReason::Stale && (need.refused > 0 || need.lost > 0);
            let hopeless = spoilt && !again;
            let fresh = need.fresh_after.map_or(Duration::ZERO, |then| then.since(at));
            if !fresh.is_zero() && !hopeless {
                return Ok(Answer::Later(fresh));
            }
            let code = totp::code(secret, at)?;
            let left = code.ends().since(at);
            let late = left < CODE_LEFT && !hopeless;
            return Ok(if late { Answer::Later(left) } else { Answer::Now(Input::Totp(code), Source::Store) });
        }
        // A code that was typed into the environment is good for one try.
        if let Some(code) = code.take() {
            return Ok(Answer::Now(Input::Totp(Totp::new(code, now())?), Source::Store));
        }
        if !may_type {
            return Ok(Answer::GiveUp);
        }
        let wait = || need.fresh_after.map_or(0, |then| then.since(now()).as_millis().div_ceil(1_000));
        let code = loop {
            let prompt = match wait() {
                0 => "authenticator's code (six digits): ".to_owned(),
                seconds => format!("authenticator's code (six digits; the next one comes in {seconds} s): "),
            };
            let code = typed(&prompt, |code| {
                let code = Totp::new(code, now())?;
                if code.code().len() == 6 { Ok(code) } else { Err(Rejection::Malformed("totp")) }
            });
            // One that was spent costs no try: the next one is a matter of seconds.
            match &code {
                Some(code) if need.fresh_after.is_some_and(|then| code.made_at() < then) => {
                    eprintln!("totp: the last code may have been used up; the next one comes in {} s", wait());
                }
                _ => break code,
            }
        };
        Ok(code.map_or(Answer::GiveUp, |code| Answer::Now(Input::Totp(code), Source::Person)))
    }

    fn token(&mut self, may_type: bool) -> Result<Answer, Rejection> {
        // Another program may have put a new one into the file.
        let known = self.access_token.take().or_else(|| variable(ACCESS_TOKEN).ok().flatten());
        let given = |token: &Secret| self.given.as_ref().is_some_and(|given| given.matches(token.expose()));
        if let Some(token) = known.filter(|token| !given(token)) {
            self.given = Some(token.clone());
            return Ok(Answer::Now(Input::Token(token), Source::Store));
        }
        let token = if may_type { prompt_hidden("gateway's access token: ") } else { None };
        Ok(token.map_or(Answer::GiveUp, |token| Answer::Now(Input::Token(token), Source::Person)))
    }
}

/// Creates a session of the Trade API.
pub fn open_trade(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let server = if args.url.is_none() { Some(trade_server(0)?) } else { None };
    let known = |value| server.is_some().then_some(value);
    let url = args.url.clone().or_else(|| server.as_ref().map(trade_url)).unwrap_or_default();
    let mut answers = Answers::read(args.again, server.is_some().then_some((USER, PASSWORD)))?;
    answers.kotak = Codes::read()?;
    if server.is_some() {
        answers.code.get_or_insert_with(|| User::new(USER, PASSWORD).access_code(now()).into());
    }
    let user = answers.user.clone().ok_or_else(|| missing("SANSESSION_USER"))?;
    let key = needed("SANSESSION_CONSUMER_KEY", known(CONSUMER_KEY))?;
    let mut provider = TradeApi::new(world::base(args, &url)?, user.expose(), key).map_err(|error| match error {
        Rejection::Empty("userid") | Rejection::Malformed("userid") => named("SANSESSION_USER")(error),
        error => named("SANSESSION_CONSUMER_KEY")(error),
    })?;
    let secret = variable("SANSESSION_CONSUMER_SECRET")?.or_else(|| known(CONSUMER_SECRET).map(Secret::from));
    let renews = secret.is_some();
    if let Some(secret) = secret {
        let secret = whole("SANSESSION_CONSUMER_SECRET", secret)?;
        provider = provider.consumer_secret(secret).map_err(named("SANSESSION_CONSUMER_SECRET"))?;
    }
    if let Some(ip) = variable("SANSESSION_IP")? {
        provider = provider.ip(ip.expose()).map_err(named("SANSESSION_IP"))?;
    }
    if let Some(app_id) = variable("SANSESSION_APP_ID")? {
        provider = provider.app_id(app_id.expose()).map_err(named("SANSESSION_APP_ID"))?;
    }
    let code = answers.code.as_ref();
    digits("SANSESSION_CODE", code, &[4, 5, 6, 7, 8], "the access code has digits alone, four of them most likely")?;
    let handle = match (saved, answers.token.take()) {
        (Some(_), Some(_)) => return Err(Usage("SANSESSION_TOKEN and --resume: which one?".into())),
        (Some(saved), None) => world::resume(provider, saved, args)?,
        (None, Some(session_token)) => {
            let bearer = answers.kotak.access_token.take().ok_or_else(|| missing(ACCESS_TOKEN))?;
            world::adopt(provider, TradeTokens { bearer, session_token }, args)?
        }
        (None, None) => {
            answers.check()?;
            answerable(ACCESS_TOKEN, renews || answers.kotak.access_token.is_some())?;
            answerable("SANSESSION_CODE", answers.code.is_some())?;
            world::begin(Session::new(provider, world::options(args), seed()?), args)?
        }
    };
    World::new(handle, world::trust(args)?, answers, server)
}

/// Creates a session of Neo.
pub fn open_neo(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let server = if args.url.is_none() { Some(neo_server(0)?) } else { None };
    let known = |value| server.is_some().then_some(value);
    let url = args.url.clone().or_else(|| server.as_ref().map(|server| server.url().to_owned())).unwrap_or_default();
    let mut answers = Answers::read(args.again, None)?;
    answers.kotak = Codes::read()?;
    if answers.token.is_some() {
        return Err(Usage("SANSESSION_TOKEN: Neo needs more than a token; --resume takes a saved session up".into()));
    }
    if server.is_some() {
        answers.pin.get_or_insert_with(|| MPIN.into());
        answers.kotak.totp_secret.get_or_insert_with(|| TOTP_SECRET.into());
    }
    let ucc = needed("SANSESSION_UCC", known(USER))?;
    let mobile = variable("SANSESSION_MOBILE")?.or_else(|| known(MOBILE).map(Secret::from));
    let mobile = mobile.ok_or_else(|| missing("SANSESSION_MOBILE"))?;
    let mut provider = Neo::new(world::base(args, &url)?, ucc.expose(), mobile).map_err(unusable)?;
    if let Some(token) = answers.kotak.access_token.take().or_else(|| known(DASHBOARD_TOKEN).map(Secret::from)) {
        answers.kotak.given = Some(token.clone());
        provider = provider.dashboard_token(token).map_err(named(ACCESS_TOKEN))?;
    } else {
        answerable(ACCESS_TOKEN, false)?;
    }
    let mut options = world::options(args);
    // Orders are taken only from the address of the login, so a saved session belongs to it.
    options.egress_label = variable("SANSESSION_IP")?.map(|ip| ip.expose().into());
    // A typo here must not cost the authenticator's code.
    digits("SANSESSION_PIN", answers.pin.as_ref(), &[6], "the MPIN has six digits")?;
    digits("SANSESSION_CODE", answers.code.as_ref(), &[6], "the authenticator's code has six digits")?;
    let handle = match saved {
        Some(saved) => world::resume_with(provider, saved, args, options)?,
        None => {
            answerable("SANSESSION_TOTP_SECRET", answers.kotak.totp_secret.is_some() || answers.code.is_some())?;
            answerable("SANSESSION_PIN", answers.pin.is_some())?;
            world::begin(Session::new(provider, options, seed()?), args)?
        }
    };
    World::new(handle, world::trust(args)?, answers, server)
}

/// Serves the Trade API's simulator and tells its users and codes.
pub fn serve_trade(port: u16) -> Result<Box<dyn std::any::Any>, Usage> {
    let server = trade_server(port)?;
    println!("kotak-trade simulator at {}", trade_url(&server));
    println!("user {USER}, password {PASSWORD}, access code of today {}", User::new(USER, PASSWORD).access_code(now()));
    println!("SANSESSION_CONSUMER_KEY={CONSUMER_KEY}");
    println!("SANSESSION_CONSUMER_SECRET={CONSUMER_SECRET}");
    println!("SANSESSION_ACCESS_TOKEN={} (60 minutes)", server.with(|sim| sim.issue_bearer(now())));
    println!("the user belongs to the second host, http://localhost:{}/apim, and is sent there", server.port());
    Ok(Box::new(server))
}

/// Serves Neo's simulator and tells its user and codes.
pub fn serve_neo(port: u16, served: Served) -> Result<Box<dyn std::any::Any>, Usage> {
    let server = neo_server(port)?;
    server.with(|api| served.prepare_neo(api));
    println!("kotak-neo simulator at {}", server.url());
    println!("SANSESSION_ACCESS_TOKEN={DASHBOARD_TOKEN}");
    println!("SANSESSION_UCC={USER}");
    println!("SANSESSION_MOBILE={MOBILE}");
    println!("SANSESSION_TOTP_SECRET={TOTP_SECRET}");
    println!("SANSESSION_PIN={MPIN}");
    println!("other calls go to http://localhost:{}", server.port());
    Ok(Box::new(server))
}

/// Both hosts of the Trade API in one process: this machine has two names.
fn trade_server(port: u16) -> Result<Server<sim::TradeApiSim>, Usage> {
    let server = Server::start_on(port, sim::TradeApiSim::kotak(), now)?;
    let hosts = [base(&trade_url(&server))?, base(&format!("http://localhost:{}/apim", server.port()))?];
    let api = sim::TradeApiSim::new(hosts).app(CONSUMER_KEY, CONSUMER_SECRET);
    server.with(|sim| *sim = api.user(User::new(USER, PASSWORD).on(Shard::Second)));
    Ok(server)
}

fn trade_url(server: &Server<sim::TradeApiSim>) -> String {
    format!("{}/apim", server.url())
}

/// Neo's login host and the user's own one in one process.
fn neo_server(port: u16) -> Result<Server<sim::NeoSim>, Usage> {
    let server = Server::start_on(port, sim::NeoSim::new(base("http://localhost")?), now)?;
    let own = base(&format!("http://localhost:{}", server.port()))?;
    let shows = |at| totp::code(&TOTP_SECRET.into(), at).map_or_else(|_| String::new(), |code| code.code().to_owned());
    let account = Account::new(USER, MOBILE, MPIN, DASHBOARD_TOKEN, own).accepts_totp(shows);
    let api = sim::NeoSim::new(base(server.url())?).account(account);
    server.with(|sim| *sim = api);
    Ok(server)
}

fn base(url: &str) -> Result<BaseUrl, Usage> {
    Ok(BaseUrl::parse(url)?)
}

/// Names the variable whose value a provider does not take.
fn named(name: &str) -> impl Fn(Rejection) -> Usage {
    move |error| Usage(format!("{name}: {error}"))
}

/// Reads what no login can do without.
fn needed(name: &str, known: Option<&str>) -> Result<Secret, Usage> {
    whole(name, variable(name)?.or_else(|| known.map(Secret::from)).ok_or_else(|| missing(name))?)
}

/// Looks for what nobody means: nothing at all, a second word, the name of the scheme before a token.
fn whole(name: &str, value: Secret) -> Result<Secret, Usage> {
    match value.expose() {
        "" => Err(Usage(format!("{name} is empty"))),
        text if text.starts_with("Bearer ") => Err(Usage(format!("{name}: the token alone, without `Bearer`"))),
        text if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Err(Usage(format!("{name} has a space or a line break in it")))
        }
        text if !text.is_ascii() => Err(Usage(format!("{name} has a character in it that no header can carry"))),
        _ => Ok(value),
    }
}

/// Looks for what can be no code, before a try is spent on it.
fn digits(name: &str, code: Option<&Secret>, lengths: &[usize], words: &str) -> Result<(), Usage> {
    match code.map(Secret::expose) {
        Some("") => Err(Usage(format!("{name} is empty"))),
        Some(code) if !lengths.contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Usage(format!("{name}: {words}")))
        }
        _ => Ok(()),
    }
}

/// Names the variable whose value the provider does not take.
fn unusable(rejection: Rejection) -> Usage {
    Usage(match rejection {
        Rejection::Empty("mobile") => "SANSESSION_MOBILE is empty".into(),
        Rejection::Malformed("mobile") => {
            "SANSESSION_MOBILE: a number of ten digits, with or without +91 before them".into()
        }
        other => format!("SANSESSION_UCC: {other}"),
    })
}

/// Checks that a need can be answered at all, before anything is sent.
fn answerable(name: &str, is_known: bool) -> Result<(), Usage> {
    if is_known || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Usage(format!("{name} is not set and there is no terminal to ask at")))
}

fn missing(name: &str) -> Usage {
    Usage(format!("{name} is not set"))
}
