//! What can happen to a walked session.

/// Something that happens to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    Start,
    /// The server's answer of this number.
    Reply(usize),
    /// No answer comes, and it is unknown whether the request arrived.
    Lost,
    /// The request did not leave.
    Unsent,
    /// The answer of this number to the open question.
    Answer(usize),
    /// The same, from a store.
    Stored(usize),
    GiveUp,
    /// The session sleeps until its deadline.
    Time,
    /// The machine sleeps until the instant of this number that the provider has named, whatever is due before.
    Named(usize),
    /// The machine sleeps for a day.
    Day,
    Check,
    Logout,
    /// The process dies and another one resumes the session.
    Crash,
    /// A user's own call gets a 401.
    OwnCall,
    /// Another client may be thrown out, unasked.
    TakeOver,
    /// No connection can be made for a long time.
    Outage,
}
