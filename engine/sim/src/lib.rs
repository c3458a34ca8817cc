//! The deterministic simulation of a cluster: one thread, one seed, simulated time.
//!
//! The code that runs is the engine's own: gossip (`spanloom_swim`), the steps of a node and the ring
//! (`spanloom_ring`), who takes which spans and when they are acknowledged (`spanloom_ingest::replicate`), the log
//! (`spanloom_wal`), blocks (`spanloom_block`, `spanloom_bucket`), joining copies (`spanloom_span`). What is written
//! here is what lies around it: a network, disks that lose what was not synced, clocks, clients; and the shells that
//! drive the cores, which do what the server's do without threads and sockets. Each of those names the file that it
//! stands for.
//!
//! | file | what |
//! |---|---|
//! | `settings.rs` | what a seed decides, and what is promised |
//! | `queue.rs` | what is to happen, in order |
//! | `machine.rs` | a machine: its disk and its clocks |
//! | `network.rs` | what the network does |
//! | `calls.rs` | questions between nodes |
//! | `process.rs` | a node's process: gossip, ring, steps |
//! | `store.rs` | its spans: log, live, blocks |
//! | `push.rs` | spans to their owners |
//! | `read.rs` | a trace by its id; sealing |
//! | `mend.rs` | copies that are made afterwards |
//! | `clients.rs` | those who send and read, and what they were promised |
//! | `trouble.rs` | what goes wrong, and when all must be well again |
//! | `course.rs` | the course of events: its hash, its last lines |
//! | `world.rs` | all of it, and the loop |
//! | `report.rs` | a line for each run |
//!
//! What is checked: an answer that is said to be whole has every span that was acknowledged before it was asked for;
//! no span is in an answer twice, or was never sent; when all is well again all nodes agree within
//! [`Settings::agree_within_ms`], and then every answer is whole; queues, bytes on the way, live bytes and the log
//! keep to limits; a seed gives the same course of events, byte by byte.
//!
//! **Invariant:** nothing depends on a clock, a thread, an address or the order of a map with random keys.

mod calls;
mod clients;
mod course;
mod machine;
mod mend;
mod network;
mod process;
mod push;
mod queue;
mod read;
mod report;
mod settings;
mod store;
mod trouble;
mod world;

pub use clients::trace_id;
pub use report::{line, run, watched};
pub use settings::{AGREE_WITHIN_LAN_MS, AGREE_WITHIN_WAN_MS, Bug, HOUR_MS, Settings};
pub use world::{Broken, Ended, Figures, SimError, Violation, World};
