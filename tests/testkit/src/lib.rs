//! What the tests of a domain stand on: a real RabbitMQ and a real PostgreSQL, wherever they can be had, with Millrace's own
//! parts in the test's process or as programs of their own.
//!
//! # What you get
//!
//! - **A system of its own for each test**: [`world::World`], of this repository's domains or of a [`system::System`] of yours. It
//!   posts jobs, waits for outcomes, and checks at the end that nothing is left over.
//! - **What domains have done**: [`journal`] writes down every change of a row, for checks of a whole history.
//! - **The same from processes that may be killed**: [`stack`] starts the programs, [`services`] finds or starts the servers, and
//!   [`wait`] and [`http`] watch them. [`random`] and [`figures`] are for what runs long: draws that a seed repeats, and numbers for
//!   people.

pub mod journal;
pub mod system;
pub mod world;

pub use millrace_stack::{figures, http, random, services, stack, wait};
