//! The parameters of a request as Rack and Rails read them: nested names, uploads, what cannot be read.

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) type Params = BTreeMap<String, Param>;

/// So deep may names be nested (Rack's `param_depth_limit`).
const DEPTH: usize = 100;

/// The value of a parameter.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Param {
    Null,
    Text(String),
    /// A number or a truth value of JSON, with Ruby's name for its kind.
    Other(&'static str, String),
    List(Vec<Self>),
    Map(Params),
    /// An uploaded file.
    File,
}

/// Why parameters cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unreadable {
    /// What Rails answers with 400.
    Bad,
    /// What it answers with 500, since it does not expect it.
    TooDeep,
}

impl Param {
    /// Returns the name that Ruby has for the kind, in its complaint about what is no text.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nil",
            Self::Text(_) => "String",
            Self::Other(kind, _) => kind,
            Self::List(_) => "Array",
            Self::Map(_) => "ActionController::Parameters",
            Self::File => "ActionDispatch::Http::UploadedFile",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl From<Value> for Param {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(text),
            Value::Bool(value) => Self::Other(if value { "true" } else { "false" }, value.to_string()),
            Value::Number(number) => Self::Other(if number.is_f64() { "Float" } else { "Integer" }, number.to_string()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Map(members.into_iter().map(|(key, value)| (key, value.into())).collect()),
        }
    }
}

/// Reads a query or a form. Both `&` and `;` are between pairs.
pub(super) fn form(text: &[u8]) -> Result<Params, Unreadable> {
    let mut params = Params::new();
    for pair in text.split(|byte| matches!(byte, b'&' | b';')).filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = unescape(halves.next().unwrap_or_default())?;
        let value = match halves.next() {
            Some(value) => Param::Text(unescape(value)?),
            None => Param::Null,
        };
        place(&mut params, name.trim_start(), value, DEPTH)?;
    }
    Ok(params)
}

/// Joins decoded fields of a form.
pub(super) fn fields(fields: Vec<(String, Param)>) -> Result<Params, Unreadable> {
    let mut params = Params::new();
    for (name, value) in fields {
        place(&mut params, &name, value, DEPTH)?;
    }
    Ok(params)
}

/// Sets a value at its place: `a`, `a[]`, `a[b]`, and so on (Rack's `normalize_params`).
fn place(params: &mut Params, name: &str, value: Param, depth: usize) -> Result<(), Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
    let name = name.trim_start_matches(['[', ']']);
    let end = name.find(['[', ']']).unwrap_or(name.len());
    let (key, after) = name.split_at(end);
    let after = after.trim_start_matches(']');
    if key.is_empty() {
        return Ok(());
    }
    match after {
        "" | "[" => {
            params.insert(key.to_owned(), value);
        }
        _ if after.starts_with("[]") => {
            let list = params.entry(key.to_owned()).or_insert_with(|| Param::List(Vec::new()));
            let Param::List(items) = list else { return Err(Unreadable::Bad) };
            match after.strip_prefix("[]").filter(|rest| !rest.is_empty()) {
                None => items.push(value),
                Some(rest) => {
                    let mut inner = Params::new();
                    place(&mut inner, rest, value, depth)?;
                    items.push(Param::Map(inner));
                }
            }
        }
        _ => {
            let map = params.entry(key.to_owned()).or_insert_with(|| Param::Map(Params::new()));
            let Param::Map(inner) = map else { return Err(Unreadable::Bad) };
            place(inner, after, value, depth)?;
        }
    }
    Ok(())
}

/// Decodes a name or a value; what is no percent-encoding of UTF-8 is refused.
fn unescape(text: &[u8]) -> Result<String, Unreadable> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let digits = bytes.as_slice().first_chunk::<2>().ok_or(Unreadable::Bad)?;
                let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
                let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(Unreadable::Bad)?;
                plain.push(value);
                bytes.nth(1);
            }
            byte => plain.push(byte),
        }
    }
    String::from_utf8(plain).map_err(|_| Unreadable::Bad)
}

/// Reads a JSON body; bytes that are no UTF-8 are part of a text that fits nothing.
pub(super) fn json(text: &[u8]) -> Result<Params, Unreadable> {
    if text.is_empty() {
        return Ok(Params::new());
    }
    match serde_json::from_str(&String::from_utf8_lossy(text)) {
        Ok(Value::Object(members)) => Ok(members.into_iter().map(|(key, value)| (key, value.into())).collect()),
        Ok(other) => Ok(Params::from([("_json".to_owned(), other.into())])),
        Err(_) => Err(Unreadable::Bad),
    }
}

/// Reads an XML body: its root element is the one parameter, by its name.
pub(super) fn xml(text: &[u8]) -> Result<Params, Unreadable> {
    let text = String::from_utf8_lossy(text);
    let mut rest = text.trim();
    while let Some((_, after)) = rest.strip_prefix("<?").and_then(|rest| rest.split_once("?>")) {
        rest = after.trim_start();
    }
    if rest.is_empty() {
        return Ok(Params::new());
    }
    let (tag, content) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or(Unreadable::Bad)?;
    let name = tag.trim_end_matches('/').split_whitespace().next().ok_or(Unreadable::Bad)?;
    let value = if tag.ends_with('/') {
        Param::Null
    } else {
        let content = content.strip_suffix(&format!("</{name}>")).ok_or(Unreadable::Bad)?;
        // What elements within it hold is of no concern here.
        if content.contains('<') { Param::Map(Params::new()) } else { Param::Text(content.to_owned()) }
    };
    Ok(Params::from([(name.to_owned(), value)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Param {
        Param::Text(text.to_owned())
    }

    #[test]
    fn names_are_nested_as_rack_has_them() {
        let params = form(b"a=1&b[]=x&b[]=y;c[d][e]=z&f&g[]=1&g[][h]=2&=no").unwrap();
        assert_eq!(params["a"], text("1"));
        assert_eq!(params["b"], Param::List(vec![text("x"), text("y")]));
        let inner = |name: &str, value| Param::Map(Params::from([(name.to_owned(), value)]));
        assert_eq!(params["c"], inner("d", inner("e", text("z"))));
        assert_eq!(params["f"], Param::Null);
        assert_eq!(params["g"], Param::List(vec![text("1"), inner("h", text("2"))]));
        assert_eq!(params.len(), 5);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["a=1&a[b]=2", "a=1&a[]=2", "a[b]=1&a[]=2", "a=%zz", "a=%f", "a=%ff", "%zz=1"] {
            assert_eq!(form(bad.as_bytes()), Err(Unreadable::Bad), "{bad}");
        }
        let deep = |levels: usize| format!("a{}=1", "[b]".repeat(levels));
        assert!(form(deep(50).as_bytes()).is_ok());
        assert_eq!(form(deep(200).as_bytes()), Err(Unreadable::TooDeep));
    }

    #[test]
    fn the_root_of_xml_is_a_parameter() {
        let root = |text: &str| xml(text.as_bytes());
        assert_eq!(root("<?xml version=\"1.0\"?>\n<login>alice</login>\n").unwrap()["login"], text("alice"));
        assert!(matches!(root("<hash><login>a</login></hash>").unwrap()["hash"], Param::Map(_)));
        assert_eq!(root("<a b=\"c\"/>").unwrap()["a"], Param::Null);
        assert_eq!(root("").unwrap(), Params::new());
        assert_eq!(root("<a>"), Err(Unreadable::Bad));
    }
}
