//! A login as a new user tries it, with a typo in each field: what is told, and what to do next.

use sansession::blocking::now;
use sansession::sim::{Cbrain, Certificate, Server};

use crate::process::{PASSWORD, Tool, portal, tool};

#[track_caller]
fn says(tool: Tool, code: i32, words: &[&str]) {
    let run = tool.runs().exits(code);
    for word in words {
        assert!(run.err.contains(word), "{word:?} is not in {}", run.err);
    }
}

fn secure() -> Server<Cbrain> {
    let mut portal = Cbrain::new(1);
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
