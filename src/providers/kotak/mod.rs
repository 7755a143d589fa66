//! Kotak Securities: the Trade API of 2020 to 2023 and the present Neo Trade API.
//!
//! | layer | what |
//! |---|---|
//! | [`wire`] | each operation as a request builder and a lenient reply; faults sorted into classes |
//! | [`host`] | which told host may get a bearer, a password or a token |

pub mod host;
pub mod wire;
