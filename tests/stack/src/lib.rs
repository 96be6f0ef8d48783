//! Millrace as it runs outside tests: a real RabbitMQ, a real PostgreSQL and real processes. Knows none of Millrace's crates,
//! so that `cargo xtask` starts even while one of them does not compile.

pub mod figures;
pub mod http;
pub mod random;
pub mod services;
pub mod stack;
pub mod wait;
