//! Workers on many machines that share sessions through PostgreSQL. The README tells the design.
//!
//! | file | what it is |
//! |---|---|
//! | `worker`, `worker/round` | the loop: lease, claims and answers; the fleet's outputs, writes before requests |
//! | `store`, `schema.sql` | the tables and every statement |
//! | `seal` | secrets at rest |
//! | `answers` | answers to questions, from any machine |
//! | `senders` | the threads that send, and the last look at the lease |
//! | `settings` | what a worker is told; which provider an account has |
//! | `clock`, `counts` | a clock that nobody sets; what is counted |
//! | `server`, `portals`, `processes`, `story`, `report` | the show: a private server, simulated portals that judge, and what happens |

pub mod answers;
pub mod clock;
pub mod counts;
pub mod portals;
pub mod processes;
pub mod report;
pub mod seal;
pub mod senders;
pub mod server;
pub mod settings;
pub mod store;
pub mod story;
pub mod worker;
