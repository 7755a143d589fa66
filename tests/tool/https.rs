//! The proxy by https, for clients with `https://localhost:5000` in their code.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use http::Request;
use sansession::drive::{Trust, blocking::Transport};
use serde_json::Value;

use crate::process::{Proxy, Running, tool};

pub fn starts(state: &Path) -> (Running, Proxy, Value) {
    let tool = tool("ibkr-oauth1a --json --listen https://127.0.0.1:0").env("XDG_STATE_HOME", state);
    let mut run = tool.starts();
    let proxy = run.listens();
    let told: Value = serde_json::from_str(run.lines.last().unwrap()).unwrap();
    assert!(told["url"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{told}");
    (run, proxy, told)
}

pub fn asks(trust: Trust, host: &str, proxy: &Proxy) -> Result<http::Response<Vec<u8>>, String> {
    let port = proxy.address.rsplit(':').next().unwrap();
    let transport = Transport::builder().trust(trust).build().unwrap();
    let uri = format!("https://{host}:{port}/{}/_session", proxy.secret);
    transport.call(Request::get(uri).body(Vec::new()).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_certificate_is_made_once_and_trusted_by_whoever_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let authority = || {
        let run = tool("--print-ca").env("XDG_STATE_HOME", &state).runs().exits(0);
        run.lines.join("\n") + "\n"
    };
    let made = authority();
    assert!(made.starts_with("-----BEGIN CERTIFICATE-----") && made.matches("BEGIN").count() == 1, "{made}");
    let kept = state.join("sansession/proxy.pem");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(kept.parent().unwrap())), (0o600, 0o700));
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &made).unwrap();

    let (run, proxy, told) = starts(&state);
    for host in ["localhost", "127.0.0.1"] {
        let answer = asks(Trust::roots_file(&file).unwrap(), host, &proxy).unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
    let pin = told["fingerprint"].as_str().unwrap().parse().unwrap();
    assert_eq!(asks(Trust::pin(pin), "localhost", &proxy).unwrap().status(), 200);
    assert!(asks(Trust::mozilla(), "localhost", &proxy).is_err(), "it is nobody else's");
    let url = format!("https://{}/{}/_session", proxy.address, proxy.secret);
    if let Ok(got) = Command::new("curl").args(["-sS", "--cacert"]).arg(&file).arg(url).output() {
        assert!(String::from_utf8_lossy(&got.stdout).contains("\"phase\""), "{got:?}");
    }
    // Plain http is nothing that it understands, and harms nobody.
    let plain = proxy.asks("GET /_session", "", "");
    assert!(!plain.contains("phase"), "{plain}");
    run.gets("INT");
    run.ends().exits(0);

    let (run, _, again) = starts(&state);
    assert_eq!(again["fingerprint"], told["fingerprint"]);
    assert_eq!(authority(), made);
    run.gets("INT");
    run.ends().exits(0);
}

#[test]
fn a_certificate_that_others_may_read_or_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("sansession/proxy.pem");
    std::fs::create_dir(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "no certificate\n").unwrap();
    let runs = || tool("--print-ca").env("XDG_STATE_HOME", directory.path()).runs().exits(64);
    let mode = |mode| std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    assert!(runs().err.contains("proxy.pem"), "others may read it");
    mode(0o600);
    assert!(runs().err.contains("without that file it makes one"));
    let homeless = tool("--print-ca").without("XDG_STATE_HOME").without("HOME");
    assert!(homeless.runs().exits(64).err.contains("XDG_STATE_HOME"));
    let run = tool("cbrain --listen ftp://127.0.0.1:0").runs().exits(64);
    assert!(run.err.contains("http or https"), "{run:#?}");
}
