use sansession::{BaseUrl, Credentials, Need, drive::blocking, http::Request, providers::cbrain::Cbrain};
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let (portal, password) = (Cbrain::new(BaseUrl::parse(&env::var("PORTAL")?)?)?, env::var("PASSWORD")?);
    let session = blocking::open(portal, move |_: &Need| Credentials::new("alice", &*password).into())?;
    println!("{}", session.call(Request::get("/groups").body(vec![])?)?.status());
    Ok(session.logout()?)
}
