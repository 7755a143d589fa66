//! The tour: each provider's whole life before its embedded simulator, with the answers that the command gives.
#![expect(clippy::disallowed_methods, reason = "a program waits; a machine does not")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use sansession::drive::{
    Answer, Handle, Stop,
    blocking::{Driver, Transport, drive},
    now,
};
use sansession::http::Request;
use sansession::{Event, Need, Timestamp};

use crate::cli::Usage;
use crate::cli::args::{Args, Command};
use crate::cli::world::{self, World};
use crate::consent;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Each provider, and a call of a program's own.
const LIVES: [(&str, &str); 7] = [
    ("cbrain", "/groups"),
    ("ibkr-gateway", "/iserver/accounts"),
    ("ibkr-oauth1a", "/iserver/accounts"),
    ("ibkr-oauth2", "/iserver/accounts"),
    ("ibkr-retail", "/tools"),
    ("kotak-trade", "/reports/1.0/orders"),
    ("kotak-neo", "/quick/user/orders"),
];
/// Two keepalives: a tickle of IBKR's may be sent once a second.
const STAY: Duration = Duration::from_millis(2_500);

/// Takes each provider through its life; the first that fails ends the tour.
pub fn tour() -> Result<()> {
    for (name, path) in LIVES {
        let line = ["session", name, "--keepalive", "1100ms"].map(Into::into);
        let Command::Run(args) = Args::parse(line).map_err(|Usage(words)| words)? else { return Err(name.into()) };
        let mut world = world::open(&args, None).map_err(|Usage(words)| words)?;
        let mut answers = std::mem::take(&mut world.answers);
        let World { handle, transport, .. } = &world;
        live(
            name,
            handle,
            transport,
            move |need| answers.answer(need),
            |program| {
                thread::sleep(STAY / 2);
                program.call(path)?;
                thread::sleep(STAY / 2);
                Ok(())
            },
        )?;
    }
    consent::oauth2()?;
    let names = LIVES.map(|(name, _)| name).join(", ");
    println!("{} lives, each from login to logout: {names}, oauth2", LIVES.len() + 1);
    Ok(())
}

/// What every program does: open, wait, make calls of its own, log out.
pub fn live(
    name: &'static str,
    handle: &Handle,
    transport: &Transport,
    answer: impl FnMut(&Need) -> Answer + Send,
    calls: impl FnOnce(Program<'_, ()>) -> Result<()>,
) -> Result<()> {
    let mut driver = Program { name, began: now(), handle, transport, answer };
    let program = Program { name, began: driver.began, handle, transport, answer: () };
    thread::scope(|scope| {
        let driving = scope.spawn(move || drive(handle, transport, &mut driver));
        let called = handle.wait_active(Duration::from_secs(60)).map_err(Into::into).and_then(|()| calls(program));
        handle.stop(Stop::Logout);
        driving.join().map_err(|_| "the driver panicked")??.into_result()?;
        called
    })?;
    program.say("closed: logged out\n");
    Ok(())
}

/// A program with one session; its driver has the answers.
#[derive(Clone, Copy)]
pub struct Program<'a, F> {
    name: &'static str,
    began: Timestamp,
    handle: &'a Handle,
    transport: &'a Transport,
    answer: F,
}

impl<F> Program<'_, F> {
    fn say(&self, words: &str) {
        println!("{:<13}{:>7.2} s  {words}", self.name, now().since(self.began).as_secs_f32());
    }

    /// Makes a call of the program's own.
    pub fn call(&self, path: &str) -> Result<()> {
        let answer = self.handle.call(self.transport, Request::get(path).body(Vec::new())?)?;
        self.say(&format!("own call {path}: {}", answer.status()));
        if answer.status().is_success() { Ok(()) } else { Err("a call of one's own failed".into()) }
    }
}

impl<F: FnMut(&Need) -> Answer> Driver for Program<'_, F> {
    fn answer(&mut self, need: &Need) -> Answer {
        self.say(&format!("needs {} ({})", need.kind.code(), need.because.code()));
        (self.answer)(need)
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::PhaseChanged { from, to } => self.say(&format!("{from} -> {to}")),
            event => self.say(&event.code().replace('-', " ")),
        }
    }
}
