//! A gateway over https with a pinned certificate, whose person logs in in the browser while a question is open.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use sansession::drive::{
    Answer, Client, Pin, Trust,
    asynchronous::{self, Reqwest, Transport},
    now,
};
use sansession::providers::ibkr::Gateway;
use sansession::sim::ibkr::{self, Login, Person, Settings};
use sansession::sim::{Certificate, Server};
use sansession::{BaseUrl, Need, NeedKind, Options, Phase, Session};

use runtimes::LOGGED_OUT;

use self::specification::Validating;

#[path = "../../../support/specification.rs"]
mod specification;

const SECOND: Duration = Duration::from_secs(1);

/// A prompt on a screen: how many were put up, and how many were taken down.
#[derive(Default)]
struct Prompts {
    up: AtomicUsize,
    down: AtomicUsize,
}

struct Prompt(Arc<Prompts>);

impl Drop for Prompt {
    fn drop(&mut self) {
        self.0.down.fetch_add(1, Ordering::SeqCst);
    }
}

async fn a_login_in_a_browser(make: impl FnOnce(&Trust) -> Box<dyn Boxed>) {
    let login = Login::After { delay: SECOND, person: Person::default() };
    let settings = Settings { login, establish: SECOND / 2, maintenance: None, ..Settings::default() };
    let gateway = Validating::new(ibkr::GatewaySim::new(settings));
    let server = Server::start_tls(Certificate::NoNames, gateway, now).unwrap();
    let trust = Trust::pin(Pin::of(server.certificate_der().unwrap()));
    let base = BaseUrl::parse(&format!("{}/v1/api", server.url())).unwrap();
    let machine = Session::new(Gateway::new(&base).unwrap(), Options::default(), [7; 32]);
    let prompts = Arc::new(Prompts::default());
    let shown = Arc::clone(&prompts);
    let answers = move |need: Need| {
        assert_eq!(need.kind, NeedKind::Browser);
        shown.up.fetch_add(1, Ordering::SeqCst);
        let prompt = Prompt(Arc::clone(&shown));
        async move {
            let _prompt = prompt;
            pending::<Answer>().await
        }
    };
    let client = make(&trust);
    let client = move |request, policy| client.send_boxed(request, policy);
    let (session, driver) = asynchronous::new(machine, client, tokio::time::sleep, answers);
    tokio::spawn(driver);
    session.ready().await.unwrap();
    // What is told when the session is usable comes before the prompt is taken down.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((prompts.up.load(Ordering::SeqCst), prompts.down.load(Ordering::SeqCst)), (1, 1));
    let request = Request::get("/iserver/accounts").body(Vec::new()).unwrap();
    assert_eq!(session.call(request).await.unwrap().status(), 200);
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(session.phase(), Phase::Closed);
    // What has arrived is what the specification has, lengths of empty bodies included.
    let arrived = server.with(|mock| mock.operations());
    assert!(arrived.contains("POST /iserver/auth/status") && arrived.contains("POST /logout"), "{arrived:?}");
}

type InputHandled =
    std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, sansession::drive::SendError>> + Send>>;

/// A client of whatever type, as a program with a choice of them writes it.
trait Boxed: Send + Sync {
    fn send_boxed(&self, request: Request<Vec<u8>>, policy: sansession::machine::SendPolicy) -> InputHandled;
}

impl<C: Client + Clone + Send + Sync + 'static> Boxed for C {
    fn send_boxed(&self, request: Request<Vec<u8>>, policy: sansession::machine::SendPolicy) -> InputHandled {
        let client = self.clone();
        Box::pin(async move { client.send(request, policy).await })
    }
}

#[tokio::test]
async fn is_noticed_and_the_question_is_withdrawn() {
    a_login_in_a_browser(|trust| Box::new(Transport::builder().trust(trust.clone()).build().unwrap())).await;
}

#[tokio::test]
async fn is_noticed_over_reqwest_too() {
    a_login_in_a_browser(|trust| Box::new(Reqwest::build(trust, |builder| builder).unwrap())).await;
}
