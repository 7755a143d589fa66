//! The driver: a future that may be dropped at every await and made anew, and nothing is lost.

use std::time::{Duration, SystemTime};

use sansession::{
    Answered, By, CloseReason, Credentials, Event, Input, Machine, Need, Output, RequestId, Timestamp, WaitingOn,
};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::{FutureExt, pending};
use smol::{Task, Timer};

use crate::client::{Answer, send};

/// Something that another task wants done with the session.
pub type Order = Box<dyn FnOnce(&mut dyn Machine, Timestamp) + Send>;

/// Takes one session through its life, and is the only one that touches it.
pub struct Driver {
    machine: Box<dyn Machine>,
    orders: Receiver<Order>,
    /// A task of its own, so that it outlives a future that is dropped.
    in_flight: Option<(RequestId, Task<Answer>)>,
}

/// What ends a wait.
enum News {
    Answer(RequestId, Answer),
    Order(Order),
    Time,
}

impl Driver {
    /// Takes a session; the sender is for other tasks.
    pub fn new(machine: impl Machine + 'static) -> (Self, Sender<Order>) {
        let (sender, orders) = unbounded();
        (Self { machine: Box::new(machine), orders, in_flight: None }, sender)
    }

    /// Drives the session until it has closed.
    pub async fn run(&mut self, told: &mut impl FnMut(Event)) -> CloseReason {
        self.machine.start(now());
        loop {
            match self.machine.poll(now()) {
                Output::Send(outgoing) => self.in_flight = Some((outgoing.id(), smol::spawn(send(outgoing)))),
                Output::Wait { on: WaitingOn::Need(need), .. } => self.answer(&need),
                // Nothing comes between the end of this await and the use of what it gave.
                Output::Wait { until, .. } => match self.news(until).await {
                    News::Answer(id, answer) => self.report(id, &answer),
                    News::Order(order) => order(&mut *self.machine, now()),
                    News::Time => {}
                },
                Output::Event(event) => told(event),
                Output::Save => {} // for `Options::durable`, which this program does not set
                Output::Cancel(_) => self.in_flight = None,
                Output::Closed(reason) => return reason,
            }
        }
    }

    async fn news(&mut self, until: Timestamp) -> News {
        let Self { in_flight, orders, .. } = self;
        let answer = async {
            let Some((id, task)) = in_flight else { return pending().await };
            News::Answer(*id, task.await)
        };
        let order = async {
            let Ok(order) = orders.recv().await else { return pending().await };
            News::Order(order)
        };
        // Monotonic clocks stop in suspend, so a long sleep would end too late.
        let nap = until.since(now()).min(Duration::from_secs(10));
        let time = async {
            Timer::after(nap).await;
            News::Time
        };
        answer.or(order).or(time).await
    }

    fn report(&mut self, id: RequestId, answer: &Answer) {
        self.in_flight = None;
        let accepted = match answer {
            Ok(response) => self.machine.handle_response(now(), id, response.into()),
            Err(failure) => self.machine.handle_failure(now(), id, *failure),
        };
        debug_assert!(accepted.is_ok(), "the machine issued this id");
    }

    fn answer(&mut self, need: &Need) {
        // A real program asks its secret store here.
        let input = Credentials::new("alice", "wonderland").map_or(Input::GiveUp, Input::Credentials);
        if let Answered::Rejected(_) = self.machine.handle_input(now(), need.id, input, By::Store) {
            let _ = self.machine.handle_input(now(), need.id, Input::GiveUp, By::Store);
        }
    }
}

/// Gives the time of this machine.
#[expect(clippy::disallowed_methods, reason = "a program has a clock")]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
