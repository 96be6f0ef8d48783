//! The producer API: accepts jobs over HTTP, publishes them as commands with the broker's confirm, and answers from the ledger.
//!
//! It decides nothing and writes nothing to Postgres. [`ApiServer`] starts and stops it; `routes` is the table of paths and
//! who may take them. A module may use those of the lines above it, never the other way round:
//!
//! - `settings`, `client`, `rate_headers`, `prefer`, `cors`, `database`, `flow`: values and rules without state
//! - `problem`: every answer that is an error
//! - `http`, `limits`, `idempotency`, `job_id`, `secrets`, `keys`, `ledger`: what a request passes through, and what it reads and writes
//! - `admission`, `readiness`, `jobs`: which requests are served, and the endpoints
//! - `openapi`, then `documents` and `page`: what people and programs read about the API
//! - `routes`, then `api_server`: everything together
#![warn(missing_docs)]

mod api_server;
mod routes;

mod documents;
mod openapi;
mod page;

mod admission;
mod jobs;
mod readiness;

mod cors;
mod http;
mod idempotency;
mod job_id;
mod keys;
mod ledger;
mod limits;
mod secrets;

mod problem;

mod client;
mod database;
mod flow;
mod prefer;
mod rate_headers;
mod settings;

#[cfg(test)]
mod tests;

pub use api_server::ApiServer;
pub use settings::{ApiSettings, HttpSettings, InvalidSettings, PublishSettings, ReadSettings};
