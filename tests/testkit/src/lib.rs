//! What the tests of a domain stand on: a real RabbitMQ and a real PostgreSQL, wherever they can be had, with Millrace's own
//! parts in the test's process (`world`) or as programs of their own (`stack`).

pub mod journal;
pub mod system;
pub mod world;

pub use millrace_stack::{figures, http, random, services, stack, wait};
