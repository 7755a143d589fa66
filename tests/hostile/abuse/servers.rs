//! Servers that refuse for ever, or want to send a session elsewhere.

use http::{Request, Response};
use sansession::{AuthorizeError, Misuse, Options, Relogin, Source};

use crate::abuse::world::{HOUR, SUBJECTS, honest, json};

fn options() -> Options {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 3 };
    options
}

fn refusals() -> [Response<Vec<u8>>; 5] {
    [
        json(401, ""),
        json(401, r#"{"error":"not authenticated","statusCode":401}"#),
        json(401, r#"{"fault":{"code":900901,"message":"Invalid Credentials"}}"#),
        json(401, r#"{"fault":{"code":99999,"message":"You have been logged out. Login again"}}"#),
        json(403, r#"{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}"#),
    ]
}

fn copy(response: &Response<Vec<u8>>) -> Response<Vec<u8>> {
    json(response.status().as_u16(), response.body().clone())
}

#[test]
fn a_server_that_refuses_for_ever_is_not_stormed() {
    for subject in &SUBJECTS {
        for (nth, refusal) in refusals().iter().enumerate() {
            for active in [false, true] {
                let mut run = if active { subject.active(options()) } else { subject.starts(options()) };
                let already = run.sent.len();
                run.runs_for(12 * HOUR, Source::Store, &mut |_| copy(refusal));
                let sent = run.sent.len() - already;
                let what = format!("{} {nth} {active}", subject.name);
                run.is_bounded(&what);
                let answers = run.sent[already..].iter().filter(|(_, what)| spends_an_answer(what)).count();
                // One refused by whoever refuses everything, and not another one by a program.
                assert!(answers <= 2, "{what}: {answers} answers left");
                assert!(sent <= 12 * 450, "{what}: {sent} requests in half a day");
            }
        }
    }
}

fn spends_an_answer(sent: &str) -> bool {
    let paths = ["/session", "/login/userid", "/2FA/accesscode", "/tradeApiLogin", "/tradeApiValidate"];
    sent.starts_with("POST") && paths.iter().any(|path| sent.ends_with(path))
}

#[test]
fn a_redirect_is_never_followed() {
    let places = [
        "https://evil.example/session",
        "//evil.example/",
        "http://localhost:1/",
        "https://tradeapi.kotaksecurities.com@evil.example/",
        "/elsewhere",
    ];
    let statuses = [301, 302, 303, 307, 308].map(|status| (status, places[0]));
    for subject in &SUBJECTS {
        for (status, place) in statuses.into_iter().chain(places.map(|place| (307, place))) {
            let mut elsewhere = |request: &Request<Vec<u8>>| {
                let uri = request.uri();
                let ours = uri.scheme_str() == Some("https") && subject.hosts.contains(&uri.host().unwrap());
                assert!(ours && !uri.path().contains("elsewhere"), "{uri}");
                let mut response = json(status, "");
                response.headers_mut().insert("location", place.parse().unwrap());
                response
            };
            subject.at_each_request(&options(), &mut elsewhere);
            let mut run = subject.active(options());
            run.machine.check(run.now);
            run.runs_for(6 * HOUR, Source::Store, &mut elsewhere);
            run.is_bounded(subject.name);
        }
    }
}

/// Hosts that a body tells are admitted within the provider's own domain only.
#[test]
fn a_told_host_gets_nothing_unless_it_is_the_providers() {
    for host in [
        "https://evil.example/apim",
        "http://tradeapi.kotaksecurities.com/apim",
        "https://tradeapi.kotaksecurities.com.evil.example/apim",
        "https://evilkotaksecurities.com/apim",
        "https://tradeapi.kotaksecurities.com:8443/apim",
        "https://a@tradeapi.kotaksecurities.com/apim",
        "https://127.0.0.1/apim",
        "tradeapi.kotaksecurities.com.\\r\\nHost: evil.example",
        "https://evil.example\\u0000.kotaksecurities.com",
        "https://evil.example#.kotaksecurities.com",
    ] {
        for subject in &SUBJECTS {
            let mut run = subject.starts(options());
            run.runs_for(24 * HOUR, Source::Store, &mut |request| {
                assert!(subject.hosts.contains(&request.uri().host().unwrap()), "{}", request.uri());
                assert_eq!(request.uri().scheme_str(), Some("https"));
                let body = String::from_utf8(honest(request).into_body()).unwrap();
                let told = body
                    .replace("https://ctradeapi.kotaksecurities.com/apim", host)
                    .replace("https://e43.kotaksecurities.com", host);
                json(200, told)
            });
            run.is_bounded(subject.name);
        }
    }
}

#[test]
fn a_call_of_the_users_own_goes_nowhere_else() {
    for subject in &SUBJECTS {
        let mut run = subject.active(options());
        for uri in [
            "https://evil.example/",
            "http://portal.example.org/",
            "http://localhost:5000/v1/api/tickle",
            "https://localhost:5001/",
            "https://u@localhost:5000/",
            "https://localhost:5000.evil.example/",
            "https://ctradeapi.kotaksecurities.com.evil.example/",
            "https://e43.kotaksecurities.com:8443/",
        ] {
            let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
            let refused = run.machine.authorize(run.now, &mut parts, b"").unwrap_err();
            assert_eq!(refused, AuthorizeError::Misuse(Misuse::ForeignHost), "{}: {uri}", subject.name);
            assert!(parts.headers.is_empty(), "{}: {uri}", subject.name);
        }
    }
}
