//! The length of a body, where a method or the caller wants one.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request};

/// Lets an empty body have a length where one is expected: hyper writes none for it, and some servers answer 411.
pub(super) fn with_length(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    let asked_for = request.headers_mut().remove(CONTENT_LENGTH).is_some();
    request.headers_mut().remove(TRANSFER_ENCODING);
    let expected = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if request.body().is_empty() && (asked_for || expected) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request
}
