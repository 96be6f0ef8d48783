//! What every process of Millrace shares: settings, telemetry, probes, metrics, alerts, start and stop.
//!
//! A binary is one call of [`run`], with a type that implements [`Settings`]. Nothing here knows the broker, the
//! database or the business.
#![warn(missing_docs)]

pub mod alerts;
pub mod probes;
pub mod process;
pub mod prometheus;
pub mod readiness;
pub mod secret;
pub mod server;
pub mod settings;
pub mod shutdown;
pub mod telemetry;

#[cfg(test)]
mod tests;

pub use alerts::{Alert, AlertSink, LogAlerts};
pub use process::{Fatal, run};
pub use readiness::{Check, Readiness};
pub use secret::{InvalidUrl, Secret, SecretUrl};
pub use settings::Settings;
