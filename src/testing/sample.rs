//! An answer of a server.

/// An answer that a server of this provider may give.
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sample {
    /// Creates a response from a status, a content type (empty for none) and a body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let sample = Self { status, headers: Vec::new(), body: body.into() };
        if content_type.is_empty() { sample } else { sample.header("content-type", content_type) }
    }

    /// Creates a response from a status and a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// Adds a header; one that HTTP does not allow is left out when the sample is served.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns its status and content type.
    pub(crate) fn kind(&self) -> String {
        let types = self.headers.iter().filter(|(name, _)| name == "content-type");
        types.fold(self.status.to_string(), |kind, (_, value)| format!("{kind} {value}"))
    }
}
