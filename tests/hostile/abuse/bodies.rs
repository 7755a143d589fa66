//! Bodies and headers that no server of good will sends, at every request of every provider.

use std::time::Duration;

use http::{HeaderValue, Response};
use sansession::{Options, Phase, Source};

use crate::abuse::memory::Cost;
use crate::abuse::world::{HOUR, SUBJECTS, Subject, honest, json};

const MEGABYTE: usize = 1 << 20;

/// The keys that prove success, or name a host, somewhere.
const KEYS: [&str; 12] = [
    "cbrain_api_token",
    "session",
    "authenticated",
    "access_token",
    "oneTimeToken",
    "sessionToken",
    "token",
    "sid",
    "baseUrl",
    "redirect",
    "error",
    "message",
];

fn larger() -> Options {
    let mut options = Options::default();
    options.max_body = 16 * MEGABYTE;
    options
}

/// Answers each request of every provider once with this, and gives what the worst provider costs.
fn worst(options: &Options, response: &Response<Vec<u8>>) -> Cost {
    let cost = |subject: &Subject| Cost::of(|| subject.at_each_request(options, |_| copy(response)));
    SUBJECTS.iter().map(cost).fold(Cost::default(), Cost::worse)
}

fn copy(response: &Response<Vec<u8>>) -> Response<Vec<u8>> {
    let mut copy = Response::new(response.body().clone());
    *copy.status_mut() = response.status();
    copy.headers_mut().clone_from(response.headers());
    copy
}

/// How much of a life's own may come on top, in all: many requests, and the harness.
const LIVES: usize = 64 * MEGABYTE;

/// How often a body may be copied, in whole or in parts, in all lives of a subject: the server's own dozen, and
/// what is checked, kept, written down.
const COPIES: usize = 30;

#[track_caller]
fn stays_small(response: &Response<Vec<u8>>, options: &Options, memory: usize) {
    stays_within(response, options, memory, COPIES);
}

/// The server's copy of the answer is counted with it.
#[track_caller]
fn stays_within(response: &Response<Vec<u8>>, options: &Options, memory: usize, copies: usize) {
    let worst = worst(options, response);
    let length = response.body().len();
    assert!(worst.peak <= length + memory, "{worst:?} for an answer of {length}");
    assert!(worst.total <= copies * length + LIVES, "{worst:?} for an answer of {length}");
}

#[test]
fn a_body_over_the_limit_is_not_looked_at() {
    for status in [200, 401] {
        let body = format!(r#"{{"cbrain_api_token":"{}"}}"#, "a".repeat(10 * MEGABYTE));
        stays_small(&json(status, body), &Options::default(), 256 << 10);
    }
}

#[test]
fn a_body_over_the_limit_closes_no_open_session() {
    for subject in &SUBJECTS {
        let mut run = subject.active(Options::default());
        run.machine.check(run.now);
        run.runs_for(HOUR / 4, Source::Person, &mut |_| json(200, vec![b'['; 10 * MEGABYTE]));
        assert_eq!(run.machine.phase(), Phase::Active, "{}", subject.name);
        run.is_bounded(subject.name);
        run.runs_for(HOUR, Source::Person, &mut honest);
        assert!(!run.machine.status().suspect, "{}", subject.name);
    }
}

#[test]
fn a_large_body_within_the_limit_takes_a_few_times_its_length() {
    // A token is kept once, and stands in each request of some hours, in a header or two.
    let text = "a".repeat(10 * MEGABYTE);
    let body: String = KEYS.iter().map(|key| format!(r#""{key}":"","#)).collect();
    let body = format!(r#"{{{body}"cbrain_api_token":"{text}","user_id":2,"data":{{"token":"t","sid":"s"}}}}"#);
    stays_within(&json(200, body), &larger(), 40 * MEGABYTE, 500);
}

/// A value of two bytes becomes one of some dozens, not of hundreds.
#[test]
fn a_body_of_many_small_values_takes_a_dozen_times_its_length() {
    for value in [r#"{"ip":1}"#, "{}", "0", r#""""#] {
        let values = format!("{value}{}", format!(",{value}").repeat(20_000 / (value.len() + 1)));
        let body = format!(r#"{{"data":[{values}],"enabledSegments":[{values}],"accounts":[{values}]}}"#);
        let length = body.len();
        stays_small(&json(200, body), &Options::default(), 24 * length);
    }
    let body: String = (0..20_000).map(|number| format!(r#""key{number}":{number},"#)).collect();
    stays_small(&json(200, format!(r#"{{{body}"user_id":2}}"#)), &Options::default(), MEGABYTE);
}

#[test]
fn json_nested_a_hundred_thousand_deep_is_survived() {
    let whole = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for body in ["[".repeat(100_000), whole("[", "]"), whole(r#"{"data":["#, "]}")] {
        stays_small(&json(200, body), &Options::default(), MEGABYTE);
    }
    for key in ["cbrain_api_token", "authenticated", "access_token"] {
        let body = format!(r#"{{"{key}":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        stays_small(&json(200, body), &Options::default(), MEGABYTE);
    }
}

#[test]
fn numbers_beyond_range_are_survived() {
    let digits = "9".repeat(5_000);
    for number in ["1e999999999", "-1e400", "18446744073709551616", "-9223372036854775809", "1e-999999", "-0", &digits]
    {
        for status in [200, 401] {
            let fields: String = KEYS.iter().map(|key| format!(r#""{key}":{number},"#)).collect();
            let body = format!(
                r#"{{{fields}"user_id":{number},"expires_in":{number},"ssoExpires":{number},"EXPIRES":{number},"stCode":{number},"code":{number},"statusCode":{number},"fault":{{"code":{number}}},"redirect":{{"host":"localhost","port":{number}}}}}"#
            );
            stays_small(&json(status, body), &Options::default(), MEGABYTE);
        }
    }
    for expires in ["1e30", "18446744073709551615", "-1", "9223372036854775807"] {
        let body = format!(r#"{{"access_token":"bearer","expires_in":{expires}}}"#);
        stays_small(&json(200, body), &Options::default(), MEGABYTE);
    }
}

#[test]
fn text_that_is_no_utf_8_is_survived() {
    for text in
        [&b"\xff\xfe"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\\ud800", b"\0", b"\\u0000\\u000d\\u000a", b"\xe2\x80"]
    {
        let mut body = br#"{"user_id":2"#.to_vec();
        for key in KEYS {
            body.extend_from_slice(format!(r#","{key}":""#).as_bytes());
            body.extend_from_slice(text);
            body.push(b'"');
        }
        body.push(b'}');
        for status in [200, 403] {
            stays_small(&json(status, body.clone()), &Options::default(), MEGABYTE);
        }
    }
}

#[test]
fn ten_thousand_headers_are_survived() {
    let mut response = json(200, "{}");
    let headers = response.headers_mut();
    for number in 0..5_000 {
        let name: http::HeaderName = format!("x-{number}").parse().unwrap();
        headers.append(name, HeaderValue::from(number));
        let name = ["retry-after", "date", "content-type", "location", "set-cookie"][number % 5];
        headers.append(name, HeaderValue::from_bytes(b"\x80 nonsense").unwrap());
    }
    for subject in &SUBJECTS {
        let cost = Cost::of(|| {
            subject.at_each_request(&Options::default(), |request| {
                let mut answer = honest(request);
                answer.headers_mut().clone_from(response.headers());
                answer
            });
        });
        assert!(cost.peak < 2 * MEGABYTE && cost.total < LIVES, "{}: {cost:?}", subject.name);
    }
}

#[test]
fn no_retry_after_is_believed_for_more_than_a_quarter_of_an_hour_and_twice_as_long_each_time() {
    for text in [
        "1000000000000000000",
        "99999999999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "-1",
        "0",
        "",
        "soon",
    ] {
        for status in [429, 503] {
            for subject in &SUBJECTS {
                waits_and_comes_back(subject, status, text);
            }
        }
    }
}

fn waits_and_comes_back(subject: &Subject, status: u16, text: &str) {
    let mut run = subject.active(Options::default());
    run.machine.check(run.now);
    let already = run.sent.len();
    let mut limited = |_: &_| {
        let mut response = json(status, "");
        response.headers_mut().insert("retry-after", text.parse().unwrap());
        response
    };
    run.runs_for(4 * HOUR, Source::Person, &mut limited);
    let what = format!("{} {status} {text:?}", subject.name);
    assert_eq!(run.machine.phase(), Phase::Active, "{what}");
    run.is_bounded(&what);
    let times: Vec<_> = run.sent[already..].iter().map(|(at, _)| *at).collect();
    assert!(times.len() >= 4, "{what}: {times:?}");
    for (nth, pair) in times.windows(2).enumerate() {
        let wait = pair[1].since(pair[0]);
        let readable = text.ends_with("GMT") || text.parse::<u128>().is_ok();
        assert!(!readable || wait >= Duration::from_secs(1), "{what}: {wait:?}");
        // A quarter of an hour, and twice as long each time the server goes on naming more; and 5 min of spread.
        let longest = HOUR / 4 * (1 << nth.min(4));
        assert!(wait <= longest.min(4 * HOUR) + Duration::from_secs(5 * 60), "{what}: {wait:?}");
    }
}
