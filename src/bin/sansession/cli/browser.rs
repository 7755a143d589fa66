//! `--open`: a browser for the page of a login, started by what the desktop has for that.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::cli::report::Report;

/// What opens an address: the desktop's own program first.
#[cfg(target_os = "macos")]
const OPENERS: [&str; 1] = ["open"];
#[cfg(not(target_os = "macos"))]
const OPENERS: [&str; 3] = ["xdg-open", "gio open", "wslview"];

/// Opens an address and tells what came of it; the address itself was told before.
pub fn open(url: &str, report: &Report) {
    match start(url) {
        Ok((program, mut child)) => {
            report.hint(&format!("{program} opens it"));
            let report = report.clone();
            std::thread::spawn(move || match child.wait() {
                Ok(status) if !status.success() => {
                    report.hint(&format!("{program} failed ({status}): open the address yourself"));
                }
                _ => {}
            });
        }
        Err(why) => report.hint(&format!("no browser is opened, since {why}: open the address yourself")),
    }
}

fn start(url: &str) -> Result<(String, std::process::Child), String> {
    if !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(char::is_whitespace) {
        return Err("this is no address of a web page".into());
    }
    let chosen = std::env::var("BROWSER").ok().filter(|chosen| !chosen.is_empty());
    let commands: Vec<&str> = match &chosen {
        Some(chosen) => chosen.split(':').collect(),
        None if rustix::process::geteuid().is_root() => return Err("browsers do not run as root".into()),
        None if !has_display() => return Err("there is no display here".into()),
        None => OPENERS.to_vec(),
    };
    for command in &commands {
        let mut words = command.split_whitespace();
        let Some(program) = words.next() else { continue };
        let (mut started, mut placed) = (Command::new(program), false);
        for word in words {
            placed |= word.contains("%s");
            started.arg(word.replace("%s", url));
        }
        if !placed {
            started.arg(url);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SANSESSION_")) {
            started.env_remove(name);
        }
        // It outlives this program, and Ctrl-C is not for it.
        started.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        if let Ok(child) = started.spawn() {
            return Ok((program.to_owned(), child));
        }
    }
    Err(format!("none of these is there: {}", commands.join(", ")))
}

fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(is_set)
}
