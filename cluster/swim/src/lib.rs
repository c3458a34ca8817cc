//! Membership: who is in the cluster, whether they answer, and what they say of themselves.
//!
//! SWIM (Das, Gupta, Motivala: "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol",
//! DSN 2002) probes one member a period, asks others to probe it when it is silent, and spreads what is found along
//! with the probes; a suspected member can refute. The core is [foca](https://docs.rs/foca). Of Lifeguard (Dadgar,
//! Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate Failure Detection", DSN-W 2018) two ideas
//! are taken: a suspect is told at once by the one that suspects it, and, in its simplest form, a process that finds
//! that it stood still suspects nobody for it.
//!
//! [`Swim`] has no clock, socket, file or source of randomness: calls bring values and the time, and push what is to
//! be done into [`Effects`]. So the server's shell, the simulator and the tests drive the same code.
//!
//! ```
//! # use spanloom_swim::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Now { monotonic_ms: 0, unix_ms: 1_790_000_000_000 };
//! let identity = Identity::new(NodeName::new("ingest-0")?, now.unix_ms, "10.0.0.7:7946".parse().unwrap())?;
//! let record = Record {
//!     state: MemberState::Joining,
//!     roles: Roles::INGESTER,
//!     zone: Zone::new("eu-1a")?,
//!     peer: "10.0.0.7:7947".into(),
//!     api: String::new(),
//!     tokens: vec![7, 4_000_000_000],
//! };
//! let seed = [7; 32]; // from the system, in earnest
//! let mut swim = Swim::new(now, identity, record, Options::lan(3), seed)?;
//! let mut fx = Effects::new();
//! swim.join(now, vec![Seed::parse("10.0.0.8:7946")?], &mut fx);
//! assert!(matches!(fx.drain().next(), Some(Effect::Send { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! What goes over the wire stands in `docs/formats/gossip.md`.
//!
//! | file | what |
//! |---|---|
//! | `identity.rs` | who a node is, and which life of it this is |
//! | `record.rs`, `announcement.rs`, `records.rs` | what it says of itself, on its way, and as known here |
//! | `options.rs` | the knobs and two presets |
//! | `effects.rs` | what is to be done, and what has become known |
//! | `swim/` | the node |
//! | `places.rs` | the members as the ring and the steps of a node want them |
//! | `seal/` | the envelope of a datagram |
//! | `frame.rs`, `codec.rs`, `wire.rs` | what is in it |
//! | `timers.rs`, `counters.rs` | what is due, what was dropped |
//!
//! **Invariant:** the only crate with foca. No bytes make it panic, wait, or allocate more than was sent; what it
//! holds is bounded by `max_members`.

mod announcement;
mod codec;
mod counters;
mod effects;
mod error;
mod frame;
mod identity;
mod options;
pub mod places;
mod record;
mod records;
mod seal;
mod swim;
mod timers;
mod wire;

pub use counters::{Counters, DropReason};
pub use effects::{Change, Effect, Effects, Now};
pub use error::Error;
pub use identity::Identity;
pub use options::{Options, Seal};
pub use record::{ENDPOINT_MAX, Load, Record};
pub use seal::Key;
pub use spanloom_ring::{MAX_NAME_BYTES, MAX_TOKENS, MemberState, NodeName, Roles, Zone};
pub use swim::{Held, Member, STATE_MAX, Seed, Status, Swim};
