use super::*;
use crate::providers::kotak::wire::envelope::read;

fn transcript(request: Request<Vec<u8>>) -> String {
    let mut text = format!("{} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        let sensitive = if value.is_sensitive() { "*" } else { "" };
        text.push_str(&format!("\n{name}{sensitive}: {}", value.to_str().unwrap()));
    }
    if !request.body().is_empty() {
        text.push_str(&format!("\n{}", std::str::from_utf8(request.body()).unwrap()));
    }
    text
}

fn with_app<T>(use_it: impl FnOnce(App<'_>) -> T) -> T {
    let base = BaseUrl::parse("https://sbx.kotaksecurities.com/apim").unwrap();
    let (bearer, key) = (Secret::new("bearer-1"), Secret::new("key-1"));
    use_it(App { base: &base, bearer: &bearer, consumer_key: &key, ip: "127.0.0.1", app_id: "app" })
}

#[test]
fn requests_carry_their_parameters_in_headers() {
    with_app(|app| {
        assert_eq!(
            transcript(app.init("USER1").unwrap()),
            "GET https://sbx.kotaksecurities.com/apim/session/1.0/session/init\naccept: application/json\n\
             authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\nuserid: USER1"
        );
        assert_eq!(
            transcript(app.access_code("USER1", &"ott-1".into(), "1234").unwrap()),
            "POST https://sbx.kotaksecurities.com/apim/session/1.0/session/2FA/accesscode\naccept: application/json\n\
             authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\nonetimetoken*: ott-1\n\
             content-type: application/json\n{\"userid\":\"USER1\",\"accessCode\":\"1234\"}"
        );
        assert_eq!(
            transcript(app.logout("USER1", &"session-1".into()).unwrap()),
            "DELETE https://sbx.kotaksecurities.com/apim/session/1.0/session/logout\naccept: application/json\n\
             authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\n\
             sessiontoken*: session-1\nuserid: USER1"
        );
        assert_eq!(
            transcript(app.orders(&"session-1".into()).unwrap()),
            "GET https://sbx.kotaksecurities.com/apim/reports/1.0/orders\naccept: application/json\n\
             authorization*: Bearer bearer-1\nconsumerkey*: key-1\nsessiontoken*: session-1"
        );
    });
}

#[test]
fn the_variants_differ_in_path_and_body() {
    with_app(|app| {
        let path = |request: Result<Request<Vec<u8>>, Unbuildable>| {
            let request = request.unwrap();
            let body = String::from_utf8(request.body().clone()).unwrap();
            format!(
                "{} {} {body}",
                request.method(),
                request.uri().path().strip_prefix("/apim/session/1.0/session").unwrap()
            )
        };
        let token = Secret::new("ott-1");
        assert_eq!(path(app.init_of_userid("A/B")), "GET /init/userid/A%2FB ");
        assert_eq!(path(app.init_of_nickname("nick")), "GET /init/nickname/nick ");
        assert_eq!(path(app.login("U", "p\"w")), r#"POST /login/userid {"userid":"U","password":"p\"w"}"#);
        assert_eq!(path(app.login_by_nickname("n", "pw")), r#"POST /login/nickname {"nickname":"n","password":"pw"}"#);
        assert_eq!(path(app.request_access_code("U", &token)), "GET /2FA/accesscode ");
        assert_eq!(path(app.without_code("U", &token)), r#"POST /2FA/oneTimeToken {"userid":"U"}"#);
        assert_eq!(path(app.mpin("U", &token, "123456")), r#"POST /2FA/mpin {"userid":"U","mpin":"123456"}"#);
        assert_eq!(path(app.biometric("U", &token, "x")), r#"POST /2FA/biometric {"userid":"U","biometric":"x"}"#);
    });
}

#[test]
fn a_part_that_no_header_may_have_is_named() {
    with_app(|app| {
        assert_eq!(app.init("U\r\nx: y").unwrap_err(), Unbuildable::Part("userid"));
        assert_eq!(app.logout("U", &"\n".into()).unwrap_err(), Unbuildable::Part("session token"));
    });
}

#[test]
fn init_tells_the_host() {
    let body = br#"{"Success":{"clientType":"ONLINE","encryption":{"keySize":0,"publickKey":"","type":"PLAIN"},"isNRI":"N","message":"","redirect":{"host":"https://ctradeapi.kotaksecurities.com/apim","port":443},"service":{"host":"https://tradeapi.kotaksecurities.com/apim","port":443},"status":"Success","userType":"G","userid":"XXXXXXXX"}}"#;
    let init: Init<'_> = read(body).unwrap();
    assert_eq!((init.is_proven(), init.is_active()), (true, Some(true)));
    assert!(init.encryption.unwrap().is_plain());
    let redirect = init.redirect.unwrap();
    assert_eq!(redirect.host.as_deref(), Some("https://ctradeapi.kotaksecurities.com/apim"));
    assert_eq!(redirect.port, Some(443));
    let init: Init<'_> = read(br#"{"status":"Deactive","redirect":{"keySize":"443"},"userid":17}"#).unwrap();
    assert_eq!((init.is_active(), init.redirect.unwrap().port), (Some(false), Some(443)));
    assert_eq!(init.userid.unwrap().0, "17");
}

#[test]
fn login_and_second_factor_are_proven_by_their_tokens() {
    let login: Login<'_> = read(br#"{"Success":{"Status":"Temporary","accessCodeTime":"8/30/2021 12:01:00 AM","biometric":"N","message":"Authentication Successful.","mpin":"N","oneTimeToken":"OTT"}}"#).unwrap();
    assert!(login.one_time_token.is_some_and(|token| token.matches("OTT")));
    for (body, time) in [
        (
            r#"{"success":{"sessionToken":"S","loginTime":"8/23/2021 11:29:35 AM","enabledSegments":["CASH",1,"FO"]}}"#,
            "8/23/2021 11:29:35 AM",
        ),
        (r#"{"sessionToken":"S","loginTime":1629698375,"enabledSegments":["CASH","FO"]}"#, "1629698375"),
    ] {
        let second: SecondFactor<'_> = read(body.as_bytes()).unwrap();
        assert!(second.session_token.is_some_and(|token| token.matches("S")));
        assert_eq!(second.login_time.unwrap().0, time);
        assert_eq!(second.enabled_segments.unwrap(), ["CASH", "FO"]);
    }
    assert!(read::<SecondFactor<'_>>(br#"{"success":{"sessionToken":null}}"#).unwrap().session_token.is_none());
}
