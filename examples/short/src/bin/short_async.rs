use sansession::drive::{Answer, asynchronous};
use sansession::{BaseUrl, Credentials, http::Request, providers::cbrain::Cbrain};
use std::{env, error::Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (portal, password) = (Cbrain::new(BaseUrl::parse(&env::var("PORTAL")?)?)?, env::var("PASSWORD")?);
    let session = asynchronous::open(portal, move |_| Answer::from(Credentials::new("alice", &*password)))?;
    session.ready().await?;
    println!("{}", session.call(Request::get("/groups").body(vec![])?).await?.status());
    Ok(session.logout().await.into_result()?)
}
