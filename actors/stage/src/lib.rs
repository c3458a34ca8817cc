//! The actor API: where actors live and how they are reached.
//!
//! A [`Stage`] runs an actix system with a fixed number of arbiters, one a core. An actor is a thin shell around
//! a pure core; others reach it through a [`Door`], which is bounded and hands a message back when it is full or
//! closed. A [`Budget`] counts the memory that messages hold, a [`Clock`] tells the time.
//!
//! | file | holds |
//! |---|---|
//! | `stage.rs` | the system and its arbiters |
//! | `door.rs` | bounded doors to actors |
//! | `budget.rs` | memory permits |
//! | `clock.rs` | time, real and by hand |
//! | `nice.rs` | threads that give way to others |
//!
//! **Invariant:** no actor's address leaves this crate's doors, and nothing here knows what a span is.

pub mod budget;
pub mod clock;
pub mod door;
mod nice;
pub mod stage;

pub use budget::{Budget, Permit};
pub use clock::{Clock, ManualClock, RealClock};
pub use door::{Door, Shut};
pub use nice::give_way;
pub use stage::{Stage, StageError};
