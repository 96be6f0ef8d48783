//! What every process of Millrace shares: settings, logging, probes, metrics, alerts, start and stop.
//!
//! A binary is one call of [`run`] with a type that implements [`Settings`]. This crate uses neither the broker nor the
//! database and names no domain.
#![warn(missing_docs)]

mod alerts;
mod fatal;
pub mod probes;
pub mod process;
mod prometheus;
mod readiness;
mod secret;
pub mod server;
pub mod settings;
mod shutdown;
pub mod telemetry;

#[cfg(test)]
mod tests;

pub use alerts::{Alert, AlertSink, LogAlerts};
pub use fatal::Fatal;
pub use process::run;
pub use readiness::{Check, Readiness};
pub use secret::{InvalidUrl, Secret, SecretUrl};
pub use settings::Settings;
