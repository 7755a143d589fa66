//! From a command line to what it asks for.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::cli::args::{Args, Command, Line, Provider};
use crate::cli::{Usage, names, options, verbs};

/// Returns the command line as clap knows it, for help, completions and manual page.
pub fn definition() -> clap::Command {
    Line::command()
}

impl Args {
    /// Reads a command line, whose first word is the program's name.
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Command, Usage> {
        let definition = definition();
        let line: Vec<OsString> = line.into_iter().collect();
        let read = definition.clone().try_get_matches_from(&line);
        let read = read.and_then(|matches| Ok((Line::from_arg_matches(&matches)?, matches)));
        let (Line { provider, mut args, serve, print_ca, verb }, matches) = match read {
            Ok(read) => read,
            Err(error) => return unknown(&definition, &line).map_or_else(|| options::explained(&error), Err),
        };
        if let Some(verb) = verb {
            return verbs::resolve(verb, &matches);
        }
        if print_ca {
            return Ok(Command::PrintCa);
        }
        let given = options::given(&definition, &matches);
        match (provider, serve.serve) {
            (Some(_), Some(_)) => Err("--serve runs the simulator alone: leave the other provider out".into()),
            (None, Some(provider)) => {
                options::only_of_simulators(&given)?;
                serve.how.serve(provider)
            }
            (None, None) => Err("which provider, or which verb?".into()),
            (Some(provider), None) => {
                options::check(provider, &given, args.url.is_some())?;
                args.provider = provider;
                if args.exec.first().is_some_and(|first| first == "--") {
                    args.exec.remove(0);
                }
                args.check(&matches)?;
                Ok(Command::Run(Box::new(args)))
            }
        }
    }

    fn check(&self, matches: &ArgMatches) -> Result<(), Usage> {
        if self.server().is_none() && (self.save.is_some() || self.resume.is_some()) {
            return Err("--save and --resume need --url: the embedded server dies with this process".into());
        }
        if matches.contains_id("exec") && self.exec.is_empty() {
            return Err("--exec: which command? Everything after it is the command".into());
        }
        if !self.exec.is_empty() && self.stay.is_some() {
            return Err("--for and --exec: the session lasts as long as the command".into());
        }
        if self.secret_file.is_some() && self.listen.is_none() {
            return Err("--secret-file goes with --listen".into());
        }
        if self.allow_logout && self.listen.is_none() {
            return Err("--allow-logout goes with --listen".into());
        }
        if !self.exec.is_empty() && self.listen.is_none() && self.provider == Provider::IbkrOauth1a {
            let each = "ibkr-oauth1a signs each call, so there is no token to give to a command";
            return Err(Usage(format!(
                "{each}; put `--listen 127.0.0.1:0` before --exec and let it call $SANSESSION_PROXY"
            )));
        }
        Ok(())
    }
}

/// Complains of a first word that is neither a provider nor a verb: what follows it would be misread.
fn unknown(definition: &clap::Command, line: &[OsString]) -> Option<Usage> {
    let word = line.get(1)?.to_str().filter(|word| !word.starts_with('-'))?;
    let providers = Provider::ALL.map(Provider::name);
    let hidden = definition.get_subcommands().filter(|verb| verb.is_hide_set()).map(clap::Command::get_name);
    let verbs: Vec<_> =
        definition.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name).collect();
    let known: Vec<_> = providers.iter().chain(&verbs).copied().chain(hidden).chain(["help"]).collect();
    if known.contains(&word) {
        return None;
    }
    let meant = names::nearest(word, known.into_iter().map(ToOwned::to_owned));
    let meant = meant.map_or(String::new(), |meant| format!("; is {meant} meant?"));
    Some(Usage(format!(
        "there is no provider and no verb {word:?}{meant} (providers: {}; verbs: {})",
        providers.join(", "),
        verbs.join(", ")
    )))
}

#[cfg(test)]
mod tests;
