//! Each provider with a server that it likes, answers that it likes less, and what answers its needs.
//!
//! Shared by the tests of the laws and by the fuzz targets, which make runs up in another way.

pub mod cbrain;
pub mod direct;
pub mod ibkr;
pub mod kotak;
pub mod oauth2;

fn json(body: impl Into<Vec<u8>>) -> http::Response<Vec<u8>> {
    http::Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
}

fn url(text: &str) -> sansession::BaseUrl {
    sansession::BaseUrl::parse(text).unwrap()
}
