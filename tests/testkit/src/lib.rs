//! What the tests and `cargo xtask` stand on: a real RabbitMQ and a real PostgreSQL, wherever they can be had.

pub mod figures;
#[cfg(feature = "world")]
pub mod journal;
pub mod random;
pub mod services;
pub mod stack;
#[cfg(feature = "world")]
pub mod world;
