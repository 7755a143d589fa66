//! Fields of a snapshot that walks leave out of the states they tell apart: they make no other state of it.

/// Those of a brokerage session, whatever leads to it.
pub const BROKERAGE: &[&str] = &[
    "paces",
    "expires",
    "validated",
    "because",
    "check_at",
    "granted",
    "disconnected",
    "live",
    "shown",
    "lost",
    "tries",
    "tried",
    "wait",
    "inits",
    "took",
    "same",
    "takeovers",
    "establishing",
    "lost_at",
    "thrown_out",
    "midnight",
    "renewal",
];

/// What the gateway has beside them.
pub const GATEWAY: &[&str] =
    &["denied", "done", "relogins", "reset_at", "admitted", "met", "nameless", "user_id", "user", "paper"];

/// What direct sessions have beside them.
pub const DIRECT: &[&str] =
    &["renew_at", "moves", "host", "rival", "token", "bearer", "usable", "suspect", "refused", "penalty"];
