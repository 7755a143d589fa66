//! The device grant: a person approves on another device (RFC 8628).

use core::time::Duration;

use http::Request;

use super::answer::Seconds;
use super::{Assertion, Client, ClientError, Endpoint, ErrorBody, filled};
use crate::wire::{self, Text};
use crate::{Response, Secret};

/// How long to wait between two polls where the server does not say (section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// Builds the request that begins a device grant; an empty `scope` leaves the choice to the server.
///
/// # Errors
/// [`ClientError::NoAssertion`] where the client has a key and `assertion` is missing.
pub fn device_request(
    endpoint: &Endpoint,
    client: &Client,
    assertion: Option<&Assertion>,
    scope: &str,
    resource: Option<&str>,
) -> Result<Request<Vec<u8>>, ClientError> {
    let mut fields = Vec::new();
    if !scope.is_empty() {
        fields.push(("scope", scope));
    }
    fields.extend(resource.map(|resource| ("resource", resource)));
    // The id stands in the form, however the client authenticates (section 3.1).
    if client.method() == "client_secret_basic" {
        fields.push(("client_id", client.id()));
    }
    client.post_as(endpoint, &fields, assertion)
}

crate::wire_object! {
    /// The fields of the answer.
    struct DeviceBody<'a> {
        /// What is polled with.
        device_code: Text<'a> = "device_code",
        /// What the person types.
        user_code: Text<'a> = "user_code",
        /// Where.
        verification_uri: Text<'a> = "verification_uri" | "verification_url",
        /// Where, with the code in it.
        complete: Text<'a> = "verification_uri_complete" | "verification_url_complete",
        /// How long the codes live.
        expires_in: Seconds = "expires_in",
        /// How long to wait between two polls.
        interval: Seconds = "interval",
        /// The code of an error.
        error: Text<'a> = "error",
        /// Its description.
        error_description: Text<'a> = "error_description",
    }
}

/// What a person needs to approve, and what is polled with.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// What [`Grant::Device`](super::Grant::Device) polls with.
    pub device_code: Secret,
    /// What the person types. Show it with `verification_uri`, also where a complete link is offered.
    pub user_code: Box<str>,
    /// Where the person types it.
    pub verification_uri: Box<str>,
    /// A link with the code in it.
    pub verification_uri_complete: Option<Box<str>>,
    /// How long the codes live; none where the server did not say so: then polls tell.
    pub expires_in: Option<Duration>,
    /// How long to wait before each poll, the first one included; 5 s where the server does not say.
    pub interval: Duration,
}

/// What the beginning of a device grant got.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeviceAnswer {
    /// A code for a person.
    Code(Box<DeviceCode>),
    /// An error of OAuth.
    Error(ErrorBody),
    /// Nothing that proves anything: begin again later, which harms nobody.
    Unknown,
}

impl DeviceAnswer {
    /// Reads the answer.
    pub fn read(response: Response<'_>) -> Self {
        let Some(body) = wire::json::<DeviceBody<'_>>(response.body) else { return Self::Unknown };
        if let Some(error) = ErrorBody::of(response.status, body.error, body.error_description, None) {
            return Self::Error(error);
        }
        let (Some(code), Some(user), Some(uri), true) = (
            filled(body.device_code),
            filled(body.user_code),
            filled(body.verification_uri),
            response.status.is_success(),
        ) else {
            return Self::Unknown;
        };
        // Somebody is asked to open it.
        let is_page = |uri: &str| Endpoint::parse(uri).is_ok();
        if !is_page(&uri) {
            return Self::Unknown;
        }
        Self::Code(Box::new(DeviceCode {
            device_code: Secret::new(code),
            user_code: user.into(),
            verification_uri: uri.into(),
            verification_uri_complete: filled(body.complete).filter(|uri| is_page(uri)).map(Into::into),
            expires_in: body.expires_in.and_then(Seconds::life),
            interval: body.interval.and_then(Seconds::life).unwrap_or(INTERVAL),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> DeviceAnswer {
        DeviceAnswer::read((&http::Response::builder().status(status).body(body).unwrap()).into())
    }

    #[test]
    fn an_answer_with_its_defaults() {
        let DeviceAnswer::Code(code) = read(
            200,
            r#"{"device_code":"d-1","user_code":"WDJB-MJHT","verification_url":"https://login.example.org/device","expires_in":"1800"}"#,
        ) else {
            panic!()
        };
        assert_eq!((code.device_code.expose(), &*code.user_code), ("d-1", "WDJB-MJHT"));
        assert_eq!(&*code.verification_uri, "https://login.example.org/device");
        assert_eq!((code.interval, code.expires_in), (INTERVAL, Some(Duration::from_secs(1_800))));
        assert_eq!(code.verification_uri_complete, None);
        assert!(!format!("{code:?}").contains("d-1"));
    }

    #[test]
    fn what_is_no_code_is_none() {
        assert!(matches!(read(400, r#"{"error":"invalid_scope"}"#), DeviceAnswer::Error(_)));
        let all = r#""user_code":"U","verification_uri":"https://a.example.org","interval":7"#;
        assert!(matches!(read(200, &format!(r#"{{"device_code":"d",{all}}}"#)), DeviceAnswer::Code(_)));
        for (status, body) in [
            (200, "<html>".to_owned()),
            (200, format!("{{{all}}}")),
            (500, format!(r#"{{"device_code":"d",{all}}}"#)),
            (200, r#"{"device_code":"d","user_code":"U","verification_uri":"javascript:alert(1)"}"#.to_owned()),
            (200, r#"{"device_code":"d","user_code":"U","verification_uri":"http://a.example.org"}"#.to_owned()),
        ] {
            assert!(matches!(read(status, &body), DeviceAnswer::Unknown), "{status} {body}");
        }
    }

    #[test]
    fn the_id_stands_in_the_form_whatever_the_method() {
        let endpoint = Endpoint::parse("https://login.example.org/device").unwrap();
        for client in [Client::public("app"), Client::basic("app", "s"), Client::post("app", "s")] {
            let request = device_request(&endpoint, &client.unwrap(), None, "a b", None).unwrap();
            let form = String::from_utf8(request.into_body()).unwrap();
            assert_eq!(form.matches("client_id=app").count(), 1, "{form}");
            assert!(form.starts_with("scope=a+b&"), "{form}");
        }
    }
}
