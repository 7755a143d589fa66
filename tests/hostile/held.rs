//! What a session holds while nothing happens: a fleet has thousands of them.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use sansession::providers::ibkr::Gateway;
use sansession::{BaseUrl, Machine, Options, Output, Phase, Session};

use crate::abuse::memory::freed_by;
use crate::support::START;

const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","userId":123456789,"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true}}}"#;
const VALIDATE: &str = r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true}"#;

/// A session that has been tickled for an hour, its user's name known.
fn idle(provider: &Arc<Gateway>, options: &Arc<Options>) -> Session<Arc<Gateway>> {
    let mut session = Session::new(provider.clone(), options.clone(), [7; 32]);
    let mut now = START;
    session.start(now);
    while now < START + Duration::from_secs(3_600) {
        match session.poll(now) {
            Output::Send(outgoing) => {
                let body = match outgoing.path() {
                    path if path.ends_with("/tickle") => TICKLE,
                    path if path.ends_with("/validate") => VALIDATE,
                    _ => STATUS,
                };
                let response = Response::builder().header("content-type", "application/json").body(body).unwrap();
                session.handle_response(now, outgoing.id(), (&response).into()).unwrap();
            }
            Output::Wait { until, .. } => now = until,
            _ => {}
        }
    }
    session
}

#[test]
fn an_idle_session_at_a_gateway_is_small() {
    // What many sessions may share is not counted.
    let provider = Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
    let (provider, options) = (Arc::new(provider), Arc::new(Options::default()));
    let session = idle(&provider, &options);
    assert_eq!(session.phase(), Phase::Active);
    assert_eq!(session.live().and_then(|live| live.user.as_deref()), Some("user1234"));
    let (held, heap) = (size_of_val(&session), freed_by(|| drop(session)));
    assert!(held + heap <= 760, "{held} bytes and {heap} on the heap");
}
