use super::*;

wire_object! {
    /// A body.
    struct Body<'a> {
        /// A number.
        number: u64 = "number",
        /// A text.
        text: Text<'a> = "text" | "TEXT",
        /// A code.
        code: Code<'a> = "code",
        /// Another object.
        inner: Inner = "inner",
        /// A list.
        list: Vec<Text<'a>> = "list",
    }
}

wire_object! {
    /// An object in another.
    struct Inner {
        /// A flag.
        flag: bool = "flag",
    }
}

#[test]
fn a_wrong_type_counts_as_missing() {
    let body: Body<'_> =
        json(br#"{"number":1e30,"text":7,"code":["x"],"inner":"none","list":{},"more":{"a":[null]}}"#).unwrap();
    assert!(
        body.number.is_none()
            && body.text.is_none()
            && body.code.is_none()
            && body.inner.is_none()
            && body.list.is_none()
    );
}

#[test]
fn strings_and_numbers_are_one_where_both_were_seen() {
    let body: Body<'_> =
        json(br#"{"number":"42","TEXT":"a\u0062","code":-7,"inner":{"flag":true,"flag":null},"list":["x",1,"y"]}"#)
            .unwrap();
    assert_eq!(body.number, Some(42));
    assert_eq!(body.text.as_deref(), Some("ab"));
    assert_eq!(body.code.unwrap().0, "-7");
    assert_eq!(body.inner.unwrap().flag, Some(true));
    assert_eq!(body.list.unwrap(), ["x", "y"]);
}

#[test]
fn what_is_no_object_is_no_body() {
    for text in ["", "null", "[]", "\"x\"", "1", "{", "{}x", "{\"a\":}"] {
        assert!(json::<Body<'_>>(text.as_bytes()).is_none(), "{text}");
    }
    assert!(json::<Body<'_>>("[".repeat(100_000).as_bytes()).is_none());
    assert!(json::<Body<'_>>(b"{\"text\":\"\xff\"}").is_none());
    // Names in Latin-1 that nobody asked for do no harm.
    let body: Body<'_> = json(b"{\"name\":\"Andr\xe9\",\"number\":1}").unwrap();
    assert_eq!(body.number, Some(1));
}
