//! `cluster`: Millrace on three RabbitMQ nodes that are killed, frozen, restarted and cut off from each other under load.

mod broker;
mod configuration;
mod database;
mod docker;
mod faults;
mod history;
mod measures;
mod node;
mod options;
mod run;
mod scenario;
mod stack;

pub use options::Options;
pub use run::run;
