//! What `--help` says beside the options, the manual page, and the completions of shells.

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Usage, parse};

/// The forms of the command line.
pub const USAGE: &str = "\
sansession PROVIDER [OPTIONS]
       sansession PROVIDER [OPTIONS] --exec COMMAND…
       sansession PROVIDER [OPTIONS] --listen 127.0.0.1:PORT
       sansession --serve PROVIDER [--port N] [--limits HOW] [--body PATH=FILE]
       sansession login|status|token|logout|run|proxy|doctor PROFILE [OPTIONS]
       sansession call PROFILE METHOD PATH [--data BODY] [--header 'NAME: VALUE']
       sansession serve PROVIDER [--port N]";

/// What the short help says last.
pub const SHORT: &str = "\
A PROFILE is a table of ~/.config/sansession/profiles.toml with a provider and its options, without secrets.
Without --url it is an embedded simulator. Passwords and tokens come from files, the environment or a prompt:
SANSESSION_USER, SANSESSION_PASSWORD_FILE and others. --help tells of them, of exit codes and of the proxy.";

/// What the long help says last; the manual page has the same as sections.
pub const LONG: &str = include_str!("help/manual.txt");

/// Writes the completions of a shell.
pub fn complete(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut parse::definition(), "sansession", &mut script);
    println!("{}", String::from_utf8_lossy(&script).trim_end());
}

/// Writes the manual page, or that of a verb.
pub fn man(verb: Option<&str>) -> Result<(), Usage> {
    let mut definition = parse::definition();
    definition.build();
    let mut page = Vec::new();
    match verb {
        None => {
            let man = Man::new(definition);
            man.render_title(&mut page)?;
            man.render_name_section(&mut page)?;
            man.render_synopsis_section(&mut page)?;
            man.render_description_section(&mut page)?;
            man.render_subcommands_section(&mut page)?;
            man.render_options_section(&mut page)?;
            page.extend_from_slice(roff(LONG).as_bytes());
        }
        Some(verb) => {
            let found = definition.get_subcommands().find(|known| known.get_name() == verb && !known.is_hide_set());
            let found = found.ok_or_else(|| Usage(format!("{verb}: there is no such verb")))?.clone();
            Man::new(found).render(&mut page)?;
            page.extend_from_slice(b".SH SEE ALSO\n.BR sansession (1)\n");
        }
    }
    println!("{}", String::from_utf8_lossy(&page).trim_end());
    Ok(())
}

/// Sets the manual's text: lines in capitals are headings, those that are indented by four stay as they are.
fn roff(text: &str) -> String {
    let mut page = String::new();
    let mut is_set = false;
    for line in text.lines() {
        let stays = line.starts_with("    ") || (line.is_empty() && is_set);
        if stays != is_set {
            page.push_str(if stays { ".PP\n.nf\n" } else { ".fi\n" });
            is_set = stays;
        }
        let shown = line.trim_start_matches(' ').replace('\\', "\\e").replace('-', "\\-");
        let indent = if stays { line.get(2..line.len() - line.trim_start().len()).unwrap_or_default() } else { "" };
        match line {
            "" => page.push_str(if stays { "\n" } else { ".PP\n" }),
            _ if !line.starts_with(' ') => page.push_str(&format!(".SH {shown}\n")),
            // A dot or an apostrophe at the beginning would be a request.
            _ => page.push_str(&format!("\\&{indent}{shown}\n")),
        }
    }
    if is_set { page + ".fi\n" } else { page }
}
