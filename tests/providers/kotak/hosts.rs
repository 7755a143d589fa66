//! Hosts that a server names: which get credentials, and what becomes of those that do not.

use sansession::ResumeError;
use sansession::sim::kotak::trade_api::Shard;

use super::*;

/// Each with a word of what is wrong with it.
const FOREIGN: [(&str, &str); 12] = [
    ("https://evilkotaksecurities.com/apim", "not the provider's"),
    ("https://kotaksecurities.com.evil.example/apim", "not the provider's"),
    ("https://kotaksecurities.com@evil.example/apim", "user name"),
    ("https://user:pw@ctradeapi.kotaksecurities.com/apim", "user name"),
    ("https://ctradeapi.kotaksecurities.com:8443/apim", "port"),
    ("https://ctradeapi.kotaksecurities.com./apim", "neither a URL"),
    ("http://ctradeapi.kotaksecurities.com/apim", "https"),
    ("https://xn--kotaksecurities-8yb.com/apim", "not the provider's"),
    ("https://xn--ctradeapi-1b3d.kotaksecurities.com/apim", "not the provider's"),
    ("HTTPS://EVIL.EXAMPLE/apim", "not the provider's"),
    ("https://127.0.0.1/apim", "not the provider's"),
    ("evil.example", "not the provider's"),
];

#[test]
fn init_sends_nobody_to_a_foreign_host() {
    for (host, word) in FOREIGN {
        let mut world = trade(renewing());
        world.server.set_redirect(Some(host.to_owned()));
        let reason = world.runs_to_end();
        assert_eq!(reason.code(), "protocol", "{host}");
        let text = reason.to_string();
        assert!(text.contains(word) && text.contains(host), "{host}: {text}");
        kept_at_home(world.server.log());
        assert_eq!(sent(&world, "/login/userid"), 0);
    }
}

#[test]
fn the_second_factor_sends_nobody_to_a_foreign_host() {
    for (host, word) in FOREIGN {
        let mut world = trade_with(renewing(), user().on(Shard::Second), Options::default());
        // Init is silent about the right host, as another server of the provider's may be.
        world.server.set_redirect(Some(TRADE.to_owned()));
        world.server.set_right_host(Some(host.to_owned()));
        needs(&mut world, NeedKind::Credentials, NeedReason::Opening);
        gives(&mut world, password(PASSWORD));
        needs(&mut world, NeedKind::AccessCode, NeedReason::Opening);
        let code = access_code(&world);
        gives(&mut world, code);
        let text = world.runs_to_end().to_string();
        assert!(text.contains(word) && text.contains(host), "{host}: {text}");
        kept_at_home(world.server.log());
    }
}

#[test]
fn the_second_step_of_neo_names_no_foreign_host() {
    for (host, word) in FOREIGN {
        let mut world = neo_half();
        world.server.set_base_url(Some(host.to_owned()));
        gives(&mut world, Input::Pin(MPIN.into()));
        let text = world.runs_to_end().to_string();
        assert!(text.contains(word) && text.contains(host), "{host}: {text}");
        assert!(was_told(&world, "may-live-on"));
        kept_at_home(world.server.log());
        assert!(world.calls(Method::GET, NEO_CALL).is_err());
    }
}

#[test]
fn upper_case_is_the_same_host() {
    let mut world = trade_with(renewing(), user().on(Shard::Second), Options::default());
    world.server.set_redirect(Some("HTTPS://CTradeAPI.KotakSecurities.COM/apim".to_owned()));
    log_in(&mut world);
    assert_eq!(world.server.log().requests().last().unwrap().host, "ctradeapi.kotaksecurities.com");
}

#[test]
fn a_snapshot_names_no_foreign_host_either() {
    let mut trade = trade_with(renewing(), user().on(Shard::Second), Options::default());
    log_in(&mut trade);
    let trade = trade.machine.snapshot();
    let neo = neo_active().machine.snapshot();
    for host in [
        "https://evilkotaksecurities.com",
        "https://ctradeapi.kotaksecurities.com:8443",
        "http://ctradeapi.kotaksecurities.com",
        "https://xn--ctradeapi-1b3d.kotaksecurities.com",
        "https://localhost",
        "https://e43.kotaksecurities.com@evil.example",
    ] {
        let tampered = |snapshot: &Snapshot, from: &str| {
            let text = snapshot.expose_secrets().replace(from, host);
            assert!(text.contains(host));
            Snapshot::from_text(text)
        };
        let (options, now) = (Options::default(), START + HOUR);
        let text = tampered(&trade, "https://ctradeapi.kotaksecurities.com");
        let error = Session::resume(renewing(), &text, options.clone(), None, [9; 32], now).unwrap_err();
        assert!(matches!(error, ResumeError::NotAdmitted(_) | ResumeError::Damaged), "{host}: {error}");
        let text = tampered(&neo, OWN);
        let error = Session::resume(neo_provider(), &text, options, None, [9; 32], now).unwrap_err();
        assert!(matches!(error, ResumeError::NotAdmitted(_) | ResumeError::Damaged), "{host}: {error}");
    }
}

/// Tokens stay at their host, whatever the user's program asks for.
#[test]
fn a_call_to_another_host_is_not_authorized() {
    let mut trade = trade_active();
    let mut neo = neo_active();
    for host in ["https://evil.example", "https://kotaksecurities.com", "http://tradeapi.kotaksecurities.com"] {
        assert!(trade.calls(Method::GET, &format!("{host}/apim/reports/1.0/orders")).is_err(), "{host}");
        assert!(neo.calls(Method::GET, &format!("{host}/quick/user/orders")).is_err(), "{host}");
    }
    assert!(neo.calls(Method::GET, &format!("{NEO}/login/1.0/get-client-ip")).is_err(), "the login host is another");
    assert_eq!(neo.calls(Method::GET, &format!("{OWN}{NEO_CALL}")).unwrap().status(), 200);
    kept_at_home(trade.server.log());
    kept_at_home(neo.server.log());
}
