//! What the server did.

use crate::Timestamp;

/// Something that the server did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub outcome: Outcome,
    /// The client, where it is known.
    pub client: Option<String>,
}

/// What the server did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Gave its metadata, or those of the resource.
    Described,
    /// Registered a client.
    Registered,
    /// Refused a registration.
    RegistrationRefused,
    /// A person consented, in the browser or on another device.
    Consented,
    /// A person said no.
    Declined,
    /// Showed a page of its own: an unknown client, or a redirect URI that is not registered.
    Page,
    /// Gave tokens for a code.
    Redeemed,
    /// Refused a code: unknown, expired, of another client, redirect URI or verifier.
    CodeRefused,
    /// Saw a code a second time, and killed what its first use brought.
    CodeReused,
    /// Gave tokens for a refresh token.
    Refreshed,
    /// Gave tokens for a refresh token that was spent a moment ago, within [`Settings::grace`](super::Settings::grace).
    Forgiven,
    /// Refused a refresh token that is expired, revoked or unknown.
    RefreshRefused,
    /// Saw a spent refresh token again, and killed all that stems from the same consent.
    Reused,
    /// Gave a token to a client itself.
    Granted,
    /// Began a device grant.
    DeviceBegun,
    /// Told that the person has not decided yet.
    Pending,
    /// Told that polls come too fast.
    SlowedDown,
    /// Refused a device code: expired, declined, spent or unknown.
    DeviceRefused,
    /// Revoked a token.
    Revoked,
    /// Was to revoke a token that was dead or unknown.
    NothingToRevoke,
    /// Refused a client: unknown, a wrong secret, a wrong method, an assertion that is not good.
    ClientRefused,
    /// Refused a request that is not as it should be.
    BadRequest,
    /// Answered a call with a good bearer.
    Called,
    /// Refused a call: no bearer, or one that is expired, revoked or unknown.
    CallRefused,
    /// Refused a call whose bearer has not the scope for it.
    ScopeMissing,
    /// The edge refused a request without `User-Agent`.
    EdgeRefused,
}
