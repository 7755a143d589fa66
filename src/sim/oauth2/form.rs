//! The form of a request.

use std::collections::BTreeMap;

use http::Request;
use http::header::CONTENT_TYPE;

use super::Said;
use crate::sim::web;

/// The fields of a form, none of them twice and none of them empty.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(request: &Request<Vec<u8>>) -> Result<Self, Said> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !media.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Err(Said::Error(400, "invalid_request", "the body is not a form"));
        }
        Self::of(web::pairs(request.body()))
    }

    pub(super) fn of(pairs: Vec<(String, String)>) -> Result<Self, Said> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs {
            if fields.insert(name, value).is_some() {
                return Err(Said::Error(400, "invalid_request", "a parameter is there twice"));
            }
        }
        fields.retain(|_, value| !value.is_empty());
        Ok(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
