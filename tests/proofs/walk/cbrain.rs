//! CBRAIN's portal.

use sansession::providers::cbrain::Cbrain;
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Credentials, Input, NeedKind, Options, Relogin, Secret, Session};

use super::{anywhere, is_drawn_in, leads_on, name};

const TOKEN: &str = r#"{"user_id": 2, "cbrain_api_token": "0123456789abcdef0123456789abcdef"}"#;

fn walk() -> Walk<Cbrain> {
    Walk::new(|| Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap())
        .options(options())
        .answers(|kind, _| match kind {
            NeedKind::Credentials => vec![("password", Input::Credentials(Credentials::new("norm", "pw").unwrap()))],
            _ => vec![],
        })
        .replies(|request| {
            let request = name(request);
            let mut replies = match request.as_str() {
                "DELETE /session" => vec![("200 empty", Sample::json(200, "")), ("401", Sample::json(401, ""))],
                _ => vec![
                    ("a session", Sample::json(200, TOKEN)),
                    ("401", Sample::json(401, "")),
                    ("400", Sample::json(400, r#"{"status": 400, "error": "Bad Request"}"#)),
                    ("500", Sample::json(500, r#"{"status": 500, "error": "Internal Server Error"}"#)),
                ],
            };
            if request.starts_with("GET") {
                replies.push(("another's session", Sample::json(200, TOKEN.replace("abcdef\"", "abcdee\""))));
            }
            replies.push(("401 page", Sample::new(401, "text/html", "")));
            replies.push(("locked portal", Sample::json(503, r#"{"message": "maintenance"}"#)));
            replies.extend(anywhere());
            replies
        })
        .path("/groups")
}

fn options() -> Options {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    options
}

#[test]
fn every_state_of_cbrain_leads_on() {
    let map = walk().run();
    leads_on(&map);
    insta::assert_snapshot!("cbrain", map.table());
    is_drawn_in(&map, "cbrain/states.md");
}

#[test]
fn every_state_of_an_adopted_cbrain_session_leads_on() {
    let token = || Secret::from("0123456789abcdef0123456789abcdef");
    let map = walk().begin(move |provider| Session::adopt(provider, token(), options(), [7; 32]).unwrap()).run();
    leads_on(&map);
    insta::assert_snapshot!("cbrain-adopted", map.table());
}
