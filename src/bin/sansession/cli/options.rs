//! The options that were given: which one was meant, and which provider it is for.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Error};

use crate::cli::args::Provider;
use crate::cli::{Usage, args, parse};

/// An option that was given, and the heading that it has in the help.
#[derive(Debug)]
pub struct Given {
    name: String,
    heading: Option<String>,
}

/// Returns the options that were given, in the order of the help.
pub fn given(definition: &Command, matches: &ArgMatches) -> Vec<Given> {
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let given = definition.get_arguments().filter(|arg| arg.get_long().is_some() && is_given(arg.get_id().as_str()));
    given
        .map(|arg| Given {
            name: format!("--{}", arg.get_long().unwrap_or_default()),
            heading: arg.get_help_heading().map(ToOwned::to_owned),
        })
        .collect()
}

/// The heading of the options that a simulator has.
pub const OF_SIMULATORS: &str = "Simulators";

/// Reports whether an option is a simulator's.
pub fn is_of_simulators(arg: &clap::Arg) -> bool {
    arg.get_help_heading() == Some(OF_SIMULATORS)
}

/// Checks whether words can be part of a command line, by themselves.
pub fn readable(words: &[OsString]) -> Result<(), String> {
    let line = std::iter::once(OsString::from("sansession")).chain(words.iter().cloned());
    match parse::definition().try_get_matches_from(line) {
        Ok(_) => Ok(()),
        // What one has to go with may come later.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => Ok(()),
        Err(error) => explained(&error).err().map_or(Ok(()), |Usage(words)| Err(words)),
    }
}

/// Writes down again the options that were given to a verb and are options of a session, too.
pub fn written(verb: &Command, matches: &ArgMatches) -> Vec<OsString> {
    let of_sessions = parse::definition();
    let is_known = |name: &str| of_sessions.get_arguments().any(|arg| arg.get_long() == Some(name));
    let (mut words, mut last) = (Vec::new(), Vec::new());
    for arg in verb.get_arguments() {
        let Some(name) = arg.get_long().filter(|name| is_known(name)) else { continue };
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        if !arg.get_action().takes_values() {
            words.push(format!("--{name}").into());
            continue;
        }
        // Everything after --exec is the command.
        let to = if name == "exec" { &mut last } else { &mut words };
        for values in matches.get_raw_occurrences(id).into_iter().flatten() {
            to.push(format!("--{name}").into());
            to.extend(values.map(ToOwned::to_owned));
        }
    }
    words.append(&mut last);
    words
}

/// Complains of options that a simulator alone does not have.
pub fn only_of_simulators(given: &[Given]) -> Result<(), Usage> {
    match given.iter().find(|option| !option.is_of_simulators()) {
        Some(option) => Err(Usage(format!("{} does not go with --serve, which runs a simulator alone", option.name))),
        None => Ok(()),
    }
}

/// Complains of options that would do nothing.
pub fn check(provider: Provider, given: &[Given], has_url: bool) -> Result<(), Usage> {
    for option in given {
        let name = &option.name;
        if option.is_of_simulators() {
            return Err(Usage(format!("{name} goes with --serve")));
        }
        let Some(whose) = option.whose() else { continue };
        let fits = |whose: &str| match whose.strip_suffix('*') {
            Some(start) => provider.has_brokerage() && provider.name().starts_with(start),
            None => provider.name() == whose,
        };
        if !whose.split(", ").any(fits) {
            return Err(Usage(format!("{name} is for {whose}, not for {}", provider.name())));
        }
        if whose.starts_with("ibkr-oauth") && !has_url {
            return Err(Usage(format!("{name} needs --url: the embedded simulator has keys of its own")));
        }
    }
    Ok(())
}

impl Given {
    fn is_of_simulators(&self) -> bool {
        self.heading.as_deref() == Some(OF_SIMULATORS)
    }

    /// Names the provider that the option is for, or with `*` several.
    fn whose(&self) -> Option<&str> {
        self.heading.as_deref()?.strip_prefix("For ")
    }
}

/// Says what is wrong with a command line, in one sentence where that is enough.
pub fn explained(error: &Error) -> Result<args::Command, Usage> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(args::Command::Show(error.render().to_string()));
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    if let (ErrorKind::UnknownArgument, Some(name)) = (error.kind(), text(ContextKind::InvalidArg))
        && name.starts_with("--")
    {
        let meant = text(ContextKind::SuggestedArg).map(ToOwned::to_owned).or_else(|| reordered(name));
        let meant = meant.map(|meant| format!("; is {meant} meant?"));
        return Err(Usage(format!("there is no option {name}{}", meant.unwrap_or_default())));
    }
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default().split("\n\nFor more information").next();
    Err(Usage(text.unwrap_or_default().trim_start_matches("error: ").trim_end().to_owned()))
}

/// Finds the option that has the same letters: of a short one clap takes no such typo for one.
fn reordered(name: &str) -> Option<String> {
    let letters = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    let definition = parse::definition();
    let known = definition.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
    known.into_iter().find(|known| letters(known) == letters(name))
}
