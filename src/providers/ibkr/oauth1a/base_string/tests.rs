use proptest::prelude::*;

use super::*;
use crate::providers::ibkr::oauth1a::vectors;

fn text(method: &str, uri: &str, oauth: &[(&str, &str)], form: Option<&str>) -> String {
    let method = method.parse().unwrap();
    let text = base_string("", &method, &uri.parse().unwrap(), oauth, form.map(str::as_bytes)).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn every_text_of_the_worked_example_comes_out() {
    let vectors = vectors();
    let challenge = vectors["dh_challenge_hex"].as_str().unwrap();
    let requests = [
        (
            "",
            "http://localhost:12345/tradingapi/v1/oauth/request_token",
            vec![("oauth_callback", "oob"), ("oauth_nonce", "fcbc9c08d69ac269f7f1"), ("oauth_timestamp", "1473793701")],
            None,
        ),
        (
            "",
            "http://localhost:12345/tradingapi/v1/oauth/access_token",
            vec![
                ("oauth_verifier", "61c107d4cf34ac6d9f2b"),
                ("oauth_nonce", "afd6f94d3784db186f0e"),
                ("oauth_token", "25ebcc75204da80b73f4"),
                ("oauth_timestamp", "1473793702"),
            ],
            None,
        ),
        (
            vectors["prepend_hex"].as_str().unwrap(),
            "http://localhost:12345/tradingapi/v1/oauth/live_session_token",
            vec![
                ("diffie_hellman_challenge", challenge),
                ("oauth_token", "6f531f8fd316915af53f"),
                ("oauth_nonce", "36f7d85e418f8bfe8561"),
                ("oauth_timestamp", "1473793702"),
            ],
            None,
        ),
        (
            "",
            "http://localhost:12345/tradingapi/v1/marketdata/snapshot?conid=8314",
            vec![
                ("oauth_token", "6f531f8fd316915af53f"),
                ("oauth_nonce", "aecef17086308940e861"),
                ("oauth_timestamp", "1473795686"),
            ],
            None,
        ),
        (
            "",
            "http://localhost:12345/ptradingapi/v1/accounts/DU216409/order_impact",
            vec![
                ("oauth_token", "6f531f8fd316915af53f"),
                ("oauth_nonce", "fafd0982f8db1e34287c"),
                ("oauth_timestamp", "1475766474"),
            ],
            Some(
                "CustomerOrderId=ibm1&ContractId=8314&Exchange=SMART&Quantity=100&Price=100&OrderType=Limit&TimeInForce=DAY&Side=BUY",
            ),
        ),
    ];
    for (expected, (prefix, uri, mut oauth, form)) in vectors["requests"].as_array().unwrap().iter().zip(requests) {
        oauth.push(("oauth_consumer_key", "TESTCONS"));
        oauth.push(("oauth_signature_method", expected["alg"].as_str().unwrap()));
        let method = expected["method"].as_str().unwrap();
        let signed = prefix.to_owned() + &text(method, uri, &oauth, form);
        assert_eq!(signed, expected["base_string"].as_str().unwrap(), "{}", expected["name"]);
        let whole =
            base_string(prefix, &method.parse().unwrap(), &uri.parse().unwrap(), &oauth, form.map(str::as_bytes));
        assert_eq!(whole.unwrap(), signed.as_bytes());
    }
}

#[test]
fn the_address_has_one_form() {
    for (uri, address) in [
        ("https://API.ibkr.com:443/v1", "https%3A%2F%2Fapi.ibkr.com%2Fv1"),
        ("https://api.ibkr.com:80/v1", "https%3A%2F%2Fapi.ibkr.com%3A80%2Fv1"),
        ("http://api.ibkr.com:80", "http%3A%2F%2Fapi.ibkr.com%2F"),
        ("http://[::1]:8/a%20b/%C3%A9~", "http%3A%2F%2F%5B%3A%3A1%5D%3A8%2Fa%2520b%2F%25C3%25A9~"),
    ] {
        assert_eq!(text("PUT", uri, &[("a", "1")], None), format!("PUT&{address}&a%3D1"));
    }
    for uri in ["/relative", "localhost:80"] {
        assert!(base_string("", &Method::GET, &uri.parse().unwrap(), &[], None).is_err(), "{uri}");
    }
    assert!(base_string("", &Method::GET, &"https://me@localhost/".parse().unwrap(), &[], None).is_err());
}

#[test]
fn parameters_are_decoded_sorted_and_encoded_once() {
    for (query, form, signed) in [
        // By name first: `a-b` would come before `a` if whole texts were compared.
        ("a-b=1&a=2", None, "a%3D2%26a-b%3D1"),
        ("b=2&b=1&B=3", None, "B%3D3%26b%3D1%26b%3D2"),
        ("a=x+y&b=x%20y&c=%C3%a9", None, "a%3Dx%20y%26b%3Dx%20y%26c%3D%C3%A9"),
        ("a&b=&&=c", None, "%3Dc%26a%3D%26b%3D"),
        ("a=%&b=%4&c=%zz", None, "a%3D%25%26b%3D%254%26c%3D%25zz"),
        ("a=1=2", Some("a=1"), "a%3D1%26a%3D1%3D2"),
        ("%61=2", Some("a=1"), "a%3D1%26a%3D2"),
    ] {
        let uri = format!("https://h/p?{query}");
        assert_eq!(text("POST", &uri, &[], form), format!("POST&https%3A%2F%2Fh%2Fp&{signed}"), "{query}");
    }
}

/// The same by the shortest way: decode all, sort, join, encode the whole.
fn straight(pairs: &[(String, String)]) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort();
    let joined = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    joined
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_parameters_in_any_order_give_the_straight_result(
        query in proptest::collection::vec(("[ -~é]{0,6}", "[ -~é☃]{0,6}"), 0..6),
        form in proptest::collection::vec(("[a-c]{1,2}", "[ -~é]{0,6}"), 0..6),
        token in "[0-9a-f]{20}",
        swap in any::<bool>(),
    ) {
        let encode = |pairs: &[(String, String)]| serde_urlencoded::to_string(pairs).unwrap();
        let (in_query, in_form) = (encode(&query), encode(&form));
        let (first, second) = if swap { (&in_form, &in_query) } else { (&in_query, &in_form) };
        let signed = text("POST", &format!("https://h/p?{first}"), &[("oauth_token", &token), ("oauth_nonce", "n")], Some(second));
        let mut all = query;
        all.extend(form);
        all.push(("oauth_token".into(), token));
        all.push(("oauth_nonce".into(), "n".into()));
        // A pair without name and value has an `=` of its own, so it is kept.
        prop_assert_eq!(signed, format!("POST&https%3A%2F%2Fh%2Fp&{}", straight(&all)));
    }
}
