//! The bodies that come again and again.

use std::hint::black_box;

use sansession::providers::cbrain;
use sansession::providers::ibkr::wire;
use sansession::wire::json;
use serde::Deserialize;

use super::{Case, STATUS, TICKLE, VALIDATE, life};

pub fn tickle() -> Case {
    let body = TICKLE.as_bytes();
    let ours = move || {
        let tickle: wire::Tickle<'_> = json(black_box(body)).unwrap();
        tickle.status().and_then(|status| status.authenticated)
    };
    let floor = move || {
        let tickle: Tickle<'_> = serde_json::from_slice(black_box(body)).unwrap();
        black_box(tickle.session);
        tickle.iserver.auth_status.is_ready()
    };
    Case::new(ours, floor)
}

pub fn status() -> Case {
    let body = STATUS.as_bytes();
    let ours = move || json::<wire::Status<'_>>(black_box(body)).unwrap().authenticated;
    let floor = move || serde_json::from_slice::<Flags<'_>>(black_box(body)).unwrap().is_ready();
    Case::new(ours, floor)
}

pub fn validate() -> Case {
    let body = VALIDATE.as_bytes();
    let ours = move || json::<wire::Validate<'_>>(black_box(body)).unwrap().result;
    let floor = move || {
        let validate: Validate<'_> = serde_json::from_slice(black_box(body)).unwrap();
        black_box((validate.user_id, validate.login_type, validate.user_name.len()));
        validate.result
    };
    Case::new(ours, floor)
}

pub fn session_info() -> Case {
    let text = life::info().into_bytes();
    let floor_text = text.clone();
    let ours = move || json::<cbrain::wire::SessionInfo>(black_box(&text)).unwrap().user_id;
    let floor = move || {
        let info: SessionInfo<'_> = serde_json::from_slice(black_box(&floor_text)).unwrap();
        black_box(info.cbrain_api_token.to_owned());
        info.user_id
    };
    Case::new(ours, floor)
}

#[derive(Deserialize)]
pub struct SessionInfo<'a> {
    pub user_id: u64,
    pub cbrain_api_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Validate<'a> {
    user_id: u64,
    user_name: &'a str,
    result: bool,
    login_type: u8,
}

#[derive(Deserialize)]
pub struct Tickle<'a> {
    pub session: &'a str,
    #[serde(borrow)]
    pub iserver: Iserver<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Iserver<'a> {
    #[serde(borrow)]
    pub auth_status: Flags<'a>,
}

#[derive(Deserialize)]
pub struct Flags<'a> {
    authenticated: bool,
    #[serde(default)]
    established: Option<bool>,
    competing: bool,
    connected: bool,
    #[serde(default)]
    fail: Option<&'a str>,
}

impl Flags<'_> {
    pub fn is_ready(&self) -> bool {
        let fine = self.fail.is_none_or(str::is_empty);
        self.authenticated && self.connected && !self.competing && self.established != Some(false) && fine
    }
}
