//! The driver: a future that may be dropped at every await and made anew, and nothing is lost.
//!
//! What must outlive it is in [`Driver`]: the request that is in flight is a task, and its handle is given
//! up when its answer has been reported; a snapshot is unsaved until it has been stored.

use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sansession::{
    Answered, By, CloseReason, Event, Failure, FailureKind, Input, Machine, Need, Output, RequestId, Snapshot,
    WaitingOn,
};
use tokio::task::JoinHandle;

use crate::client::{Answer, Client};
use crate::session::{Shared, now};

/// What a session wants of the program around it.
pub trait Program {
    /// Answers a need; nothing where nobody will.
    fn answer(&mut self, need: &Need) -> Option<Input>;

    /// Learns what happened.
    fn event(&mut self, event: &Event);

    /// Stores a snapshot. It may be dropped at every await and called again.
    fn save(&mut self, snapshot: &Snapshot) -> impl Future<Output = io::Result<()>> + Send;
}

/// Takes one session through its life.
pub struct Driver {
    /// For the program's other tasks.
    pub session: Arc<Shared>,
    client: Client,
    in_flight: Option<(RequestId, JoinHandle<Answer>)>,
    unsaved: bool,
}

impl Driver {
    /// Takes a session, new or resumed.
    pub fn new(machine: impl Machine + 'static, client: Client) -> Self {
        Self { session: Arc::new(Shared::new(machine)), client, in_flight: None, unsaved: false }
    }

    /// Drives the session until it has closed.
    ///
    /// # Errors
    /// Those of [`Program::save`]; the next call begins with the same save.
    pub async fn run(&mut self, program: &mut impl Program) -> io::Result<CloseReason> {
        self.session.quietly(|machine, now| machine.start(now));
        loop {
            if self.unsaved {
                let snapshot = self.session.quietly(|machine, _| machine.snapshot());
                program.save(&snapshot).await?;
                self.unsaved = false;
            }
            match self.session.quietly(|machine, now| machine.poll(now)) {
                Output::Send(outgoing) => self.in_flight = Some((outgoing.id(), self.client.spawn(outgoing))),
                Output::Save => self.unsaved = true,
                Output::Wait { on: WaitingOn::Need(need), .. } if self.answers(program, &need) => {}
                Output::Wait { until, .. } => {
                    let session = Arc::clone(&self.session);
                    // Monotonic clocks stop in suspend, so a long sleep would end too late.
                    let nap = until.since(now()).min(Duration::from_secs(10));
                    tokio::select! {
                        () = self.report() => {}
                        () = session.changed() => {}
                        () = tokio::time::sleep(nap) => {}
                    }
                }
                Output::Event(event) => program.event(&event),
                Output::Cancel(_) => self.give_up(),
                Output::Closed(reason) => return Ok(reason),
            }
        }
    }

    /// Waits for what is in flight, so that a snapshot knows how it ended.
    pub async fn settle(&mut self) {
        if self.in_flight.is_some() {
            self.report().await;
        }
    }

    /// Reports the answer of what is in flight, once it is there.
    async fn report(&mut self) {
        let Some((id, task)) = &mut self.in_flight else { return pending().await };
        let answer = task.await.unwrap_or(Err(Failure::maybe_sent(FailureKind::Other)));
        let id = *id;
        self.in_flight = None;
        let accepted = self.session.quietly(|machine, now| match &answer {
            Ok(response) => machine.handle_response(now, id, response.into()),
            Err(failure) => machine.handle_failure(now, id, *failure),
        });
        debug_assert!(accepted.is_ok(), "the machine issued this id");
    }

    /// Tells whether the need is answered.
    fn answers(&self, program: &mut impl Program, need: &Need) -> bool {
        let input = program.answer(need).unwrap_or(Input::GiveUp);
        let answered = self.session.quietly(|machine, now| machine.handle_input(now, need.id, input, By::Store));
        // The same program would say the same again.
        let give_up = |machine: &mut dyn Machine, now| machine.handle_input(now, need.id, Input::GiveUp, By::Store);
        !matches!(answered, Answered::Rejected(_)) || self.session.quietly(give_up) == Answered::Used
    }

    fn give_up(&mut self) {
        if let Some((_, task)) = self.in_flight.take() {
            task.abort();
        }
    }
}
