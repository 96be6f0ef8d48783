//! The door: jobs come in over HTTP and leave as commands that the broker has confirmed; answers come from the ledger.
//!
//! It decides nothing and writes nothing to Postgres. In reading order: [`door`] puts the parts together, `routes` is the
//! table of what can be asked and by whom, `http` surrounds every request, `admission` lets it in, `jobs` answers it,
//! `problem` is every answer that is not a good one; `openapi` says all of that in a document, which `documents` shows.
#![warn(missing_docs)]

pub mod door;
mod http;
mod jobs;
mod routes;
mod secrets;

mod admission;
mod cors;
mod keys;
mod limits;

mod documents;
mod openapi;

mod flow;
mod idempotency;
mod job_id;
mod ledger;
mod page;
mod prefer;
mod problem;
mod readiness;
mod reading;
mod settings;

#[cfg(test)]
mod tests;

pub use door::Door;
pub use settings::DoorSettings;
