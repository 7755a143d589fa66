//! A login as a new user tries it, with a typo in each field: what is told, and what to do next.

use sansession::drive::now;
use sansession::sim::{CbrainSim, Certificate, Server};

use crate::process::{PASSWORD, Tool, portal, tool};

#[track_caller]
fn says(tool: Tool, code: i32, words: &[&str]) {
    let run = tool.runs().exits(code);
    for word in words {
        assert!(run.err.contains(word), "{word:?} is not in {}", run.err);
    }
}

fn secure() -> Server<CbrainSim> {
    let mut portal = CbrainSim::new(1);
    portal.add_user("norm", PASSWORD);
    Server::start_tls(Certificate::Plain, portal, now).unwrap()
}

fn at(url: impl Into<String>) -> Tool {
    tool("cbrain --patience 2").arg("--url", url.into()).norm()
}

#[test]
fn a_wrong_address_tells_which_part_of_it_is_wrong() {
    let (plain, secure) = (portal(), secure());
    let gone = portal().url().to_owned();
    says(at(gone), 4, &["nothing answers", "host and port"]);
    says(at("https://localhost:1/a b"), 64, &["--url", "a space"]);
    says(at("https://no-such-host.invalid"), 4, &["nothing answers", "no-such-host.invalid"]);
    says(at(plain.url().replace("http:", "https:")), 4, &["does not speak TLS", "http://"]);
    says(at(secure.url().replace("https:", "http:")), 4, &["https://"]);
    says(at(secure.url()), 4, &["not trusted", "--ca-file", "--pin"]);
    says(at(format!("{}/v2", plain.url())), 5, &["no such path", "--url"]);
    says(at(plain.url().replace("http:", "htp:")), 64, &["--url", "https"]);
    says(at(plain.url().replace("http://", "")), 64, &["--url", "https://host"]);
    let api = |url: String| tool("ibkr-gateway --patience 2").arg("--url", url);
    says(api(plain.url().to_owned()), 5, &["/v1/api"]);
}

#[test]
fn a_wrong_answer_tells_its_variable() {
    let portal = portal();
    let bare = || tool("cbrain --patience 2").at(&portal);
    let wrong = bare().env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", "hunter2");
    says(wrong, 3, &["SANSESSION_PASSWORD", "--again"]);
    says(bare().norm().env("SANSESSION_USER", ""), 64, &["SANSESSION_USER is empty"]);
    says(
        bare().env("SANSESSION_USER", "norm").env("SANSESSION_PASSWROD", "x"),
        64,
        &["SANSESSION_PASSWROD", "SANSESSION_PASSWORD meant"],
    );
    says(bare().env("SANSESSION_TOKEN", "0".repeat(31)), 6, &["log in"]);
}

#[test]
fn a_wrong_key_tells_its_option() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("certificate.pem", secure().certificate_pem().unwrap());
    let text = file("text.pem", "no key at all\n");
    let oauth = |more: &str| {
        tool(&format!("ibkr-oauth2 --url https://localhost:1/v1/api --egress-ip 127.0.0.1 {more}"))
            .env("SANSESSION_CLIENT_ID", "client")
            .env("SANSESSION_USER", "norm")
    };
    says(oauth(""), 64, &["--key-id"]);
    says(oauth("--key-id k"), 64, &["--signature-key is missing"]);
    says(oauth("--key-id k").arg("--signature-key", "/no/such.pem"), 64, &["--signature-key /no/such.pem"]);
    says(oauth("--key-id k").arg("--signature-key", &text), 64, &["--signature-key", "text.pem", "not a PEM file"]);
    says(
        oauth("--key-id k").arg("--signature-key", certificate),
        64,
        &["--signature-key", "certificate", "private key is needed"],
    );
    says(oauth("--key-id k").without("SANSESSION_CLIENT_ID"), 64, &["SANSESSION_CLIENT_ID is not set"]);
    let oauth = || tool("ibkr-oauth1a --url https://localhost:1/v1/api").env("SANSESSION_CONSUMER_KEY", "ABCDEFGHI");
    says(oauth().without("SANSESSION_CONSUMER_KEY"), 64, &["SANSESSION_CONSUMER_KEY is not set"]);
    says(oauth(), 64, &["SANSESSION_ACCESS_TOKEN is not set"]);
    says(oauth().env("SANSESSION_CONSUMER_KEY", ""), 64, &["SANSESSION_CONSUMER_KEY is empty"]);
    let whole = || oauth().env("SANSESSION_ACCESS_TOKEN", "token").env("SANSESSION_ACCESS_TOKEN_SECRET", "c2VjcmV0");
    says(whole(), 64, &["--encryption-key is missing"]);
    says(whole().arg("--encryption-key", &text), 64, &["--encryption-key", "text.pem"]);
    says(whole().env("SANSESSION_ACCESS_TOKEN_SECRET", "?"), 64, &["SANSESSION_ACCESS_TOKEN"]);
}

/// The simulators' refusals are those of the real servers, which say little: the tool adds what was told to them.
#[test]
fn a_refused_request_tells_what_the_server_had_been_told() {
    use sansession::BaseUrl;
    use sansession::sim::kotak::trade_api::User;
    use sansession::sim::kotak::{NeoSim, TradeApiSim};
    let url = |text: &str| BaseUrl::parse(text).unwrap();
    let server = Server::start(TradeApiSim::kotak(), now).unwrap(); // which has a port by now
    let hosts = [format!("{}/apim", server.url()), format!("http://localhost:{}/apim", server.port())];
    let api = TradeApiSim::new(hosts.map(|host| url(&host))).app("key", "secret").user(User::new("NORM1", PASSWORD));
    server.with(|sim| *sim = api);
    let trade = |path: &str| {
        let tool = tool("kotak-trade --patience 2").arg("--url", format!("{}{path}", server.url())).norm();
        tool.env("SANSESSION_CODE", "0000").env("SANSESSION_CONSUMER_KEY", "key").env("SANSESSION_USER", "NORM1")
    };
    let keyed = |path: &str| trade(path).env("SANSESSION_CONSUMER_SECRET", "secret");
    says(keyed("/apim").env("SANSESSION_CONSUMER_SECRET", "x"), 3, &["SANSESSION_CONSUMER_SECRET, then run it again"]);
    says(keyed("/apim").env("SANSESSION_USER", "MORN1"), 3, &["SANSESSION_USER"]);
    says(keyed(""), 3, &["no such path", "--url"]);
    says(trade("/apim").env("SANSESSION_ACCESS_TOKEN", "0".repeat(31)), 3, &["SANSESSION_ACCESS_TOKEN", "--url"]);
    for (name, value, word) in [
        ("CONSUMER_KEY", "two words", "a space"),
        ("CONSUMER_SECRET", "", "empty"),
        ("ACCESS_TOKEN", "Bearer hunter2", "without `Bearer`"),
        ("CODE", "", "SANSESSION_CODE is empty"),
        ("CODE", "603", "digits"),
        ("CODE", "6o32", "digits"),
    ] {
        says(keyed("/apim").env(&format!("SANSESSION_{name}"), value), 64, &[word, name]);
    }
    let server = Server::start(NeoSim::new(url("http://localhost")), now).unwrap();
    let login = url(server.url());
    server.with(|sim| *sim = NeoSim::new(login));
    let neo = || {
        let tool = tool("kotak-neo --patience 2").at(&server).env("SANSESSION_UCC", "ABC12");
        let tool = tool.env("SANSESSION_MOBILE", "0000000000").env("SANSESSION_PIN", "654321");
        tool.env("SANSESSION_CODE", "123456").env("SANSESSION_ACCESS_TOKEN", "dashboard")
    };
    for (name, value, word) in [
        ("PIN", "65432l", "digits"),
        ("PIN", "65432", "six digits"),
        ("PIN", "6543210", "six digits"),
        ("CODE", "12345", "six digits"),
        ("CODE", "1234567", "six digits"),
        ("CODE", "12345x", "six digits"),
        ("MOBILE", "", "is empty"),
        ("MOBILE", "000000", "ten digits"),
        ("MOBILE", "+9100000000001", "ten digits"),
        ("MOBILE", "norm@example.org", "ten digits"),
        ("UCC", "", "is empty"),
        ("TOTP_SECRET", "0189", "Base32"),
        ("ACCESS_TOKEN", "Bearer dashboard", "without `Bearer`"),
    ] {
        says(neo().env(&format!("SANSESSION_{name}"), value), 64, &[word, name]);
    }
    assert!(server.log().is_empty());
    says(neo(), 3, &["SANSESSION_ACCESS_TOKEN", "dashboard's token"]);
}

#[test]
fn a_file_that_cannot_serve_tells_its_option() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.pem");
    std::fs::write(&text, "no certificate\n").unwrap();
    let (portal, secure) = (portal(), secure());
    let certificate = directory.path().join("certificate.pem");
    std::fs::write(&certificate, secure.certificate_pem().unwrap()).unwrap();
    let gateway = |url: &str| tool("ibkr-gateway --patience 1").arg("--url", format!("{url}/v1/api"));
    for file in [&text, &directory.path().join("missing.pem")] {
        let name = file.file_name().unwrap().to_str().unwrap();
        says(gateway(secure.url()).arg("--ca-file", file), 64, &["--ca-file", name]);
    }
    says(gateway(self::secure().url()).arg("--ca-file", &certificate), 4, &["--ca-file", "not the one", "--pin"]);
    let saved = directory.path().join("session.json");
    let at = || tool("cbrain").at(&portal).arg("--resume", &saved).norm();
    tool("cbrain --for 0").at(&portal).arg("--save", &saved).norm().runs().exits(0);
    // Its end is in the file, so the same words go on with a new session.
    tool("cbrain").at(&portal).arg("--resume", &saved).runs();
    at().runs().exits(0);
    std::fs::write(&saved, [0xff, 0xfe]).unwrap();
    says(at(), 64, &["--resume", "no saved session"]);
    std::fs::write(&saved, "{").unwrap();
    says(at(), 64, &["--resume", "damaged", "without --resume"]);
    // Before anything is sent, also where nothing of the login would have to be saved.
    says(tool("ibkr-oauth1a --url https://localhost:1/v1/api --save /no/such/x.json"), 64, &["--save", "/no/such"]);
}
