//! The door: jobs come in over HTTP and leave as commands that the broker has confirmed; answers come from the ledger.
//!
//! It decides nothing and writes nothing to Postgres. In reading order: [`door`] puts the parts together, `http` routes
//! requests, `jobs` answers them, `problem` is every answer that is not a good one.
#![warn(missing_docs)]

pub mod door;
mod http;
mod jobs;
mod secrets;

mod documents;
mod flow;
mod job_id;
mod keys;
mod ledger;
mod openapi;
mod problem;
mod readiness;
mod settings;

#[cfg(test)]
mod tests;

pub use door::Door;
pub use settings::DoorSettings;
