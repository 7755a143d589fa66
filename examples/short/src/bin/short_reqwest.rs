use sansession::drive::asynchronous::{self, Reqwest};
use sansession::drive::{Answer, Trust, seed};
use sansession::{BaseUrl, Credentials, Need, Options, Session, http::Request, providers::cbrain::Cbrain};
use std::{env, error::Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (portal, password) = (Cbrain::new(BaseUrl::parse(&env::var("PORTAL")?)?)?, env::var("PASSWORD")?);
    let answers = move |_: Need| Answer::from(Credentials::new("alice", &*password));
    let machine = Session::new(portal, Options::default(), seed()?);
    let client = Reqwest::build(&Trust::mozilla(), |builder| builder.pool_max_idle_per_host(2))?;
    let (session, driver) = asynchronous::new(machine, client, tokio::time::sleep, answers);
    tokio::spawn(driver);
    session.ready().await?;
    let groups = || Request::get("/groups").body(vec![]);
    let (a, b) = tokio::join!(session.call(groups()?), session.call(groups()?));
    println!("{} {}", a?.status(), b?.status());
    Ok(session.logout().await.into_result()?)
}
