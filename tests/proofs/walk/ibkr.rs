//! IBKR's Client Portal Gateway.

use sansession::providers::ibkr::Gateway;
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Input, NeedKind, Options, Relogin};

use super::{anywhere, is_drawn_in, leads_on, specified};

/// The flags of a brokerage session: authenticated, established, competing, connected.
fn flags(authenticated: bool, established: bool, competing: bool, connected: bool) -> String {
    format!(
        r#"{{"authenticated":{authenticated},"established":{established},"competing":{competing},"connected":{connected}}}"#
    )
}

pub fn replies(request: &str) -> Vec<(&'static str, Sample)> {
    let session = [
        ("ready", flags(true, true, false, true)),
        ("establishing", flags(true, false, false, true)),
        ("competing", flags(true, true, true, true)),
        ("needs init", flags(false, false, false, true)),
        ("logged out", flags(false, false, false, false)),
    ];
    let name = request.rsplit('/').next().unwrap();
    let mut replies: Vec<(&'static str, Sample)> = match name {
        "validate" => vec![
            ("valid", Sample::json(200, r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#)),
            ("invalid", Sample::json(200, r#"{"RESULT":false}"#)),
        ],
        "logout" => vec![
            ("done", Sample::json(200, r#"{"status":true}"#)),
            ("not done", Sample::json(200, r#"{"status":false}"#)),
        ],
        "tickle" => session
            .into_iter()
            .map(|(label, flags)| {
                let body = format!(r#"{{"session":"bb66","userId":1,"iserver":{{"authStatus":{flags}}}}}"#);
                (label, Sample::json(200, body))
            })
            .collect(),
        _ => session.into_iter().map(|(label, flags)| (label, Sample::json(200, flags))).collect(),
    };
    if name == "init" {
        replies.push((
            "rival",
            Sample::json(200, r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#),
        ));
        replies.push(("dh failed", Sample::json(500, r#"{"error":"failed to generate sso dh token"}"#)));
    }
    replies.extend([
        ("no session", Sample::json(200, r#"{"error":"no session"}"#)),
        ("no bridge", Sample::json(401, r#"{"error":"not authenticated","statusCode":401}"#)),
        ("login wanted", Sample::new(401, "text/plain", "Access Denied")),
        ("login wanted", Sample::new(302, "", "").header("location", "/sso/Login")),
        ("no bridge", Sample::json(400, r#"{"error":"Bad Request: no bridge","statusCode":400}"#)),
        ("403 page", Sample::new(403, "text/html", "<html>Access Denied</html>")),
    ]);
    replies.extend(anywhere());
    replies
}

fn walk() -> Walk<Gateway> {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    Walk::new(|| Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap())
        .options(options)
        .answers(|kind, _| match kind {
            NeedKind::Browser => vec![("done", Input::Done)],
            NeedKind::Takeover => vec![("take over", Input::TakeOver)],
            _ => vec![],
        })
        .replies(|request| replies(&specified(request)))
        .path("/iserver/accounts")
        .ignoring(crate::support::ignored::BROKERAGE)
        .ignoring(crate::support::ignored::GATEWAY)
}

#[test]
fn every_state_of_the_gateway_leads_on() {
    let map = walk().run();
    leads_on(&map);
    insta::assert_snapshot!("ibkr-gateway", map.table());
    is_drawn_in(&map, "ibkr/gateway/states.md");
}
