//! What every process of Millrace shares: settings, logging, probes, metrics, alerts, start and stop.
//!
//! This crate uses neither the broker nor the database and names no domain.
//!
//! # What you get
//!
//! - **A program**: one call of [`process::run`] with a type that implements [`settings::Settings`]. [`Fatal`] ends it.
//! - **Its settings**: [`settings`], in sections that programs share, and [`Secret`] and [`SecretUrl`] (or [`InvalidUrl`]), which are
//!   never printed.
//! - **What others see of it**: [`telemetry`] for log lines, [`Readiness`] made of [`Check`]s and [`probes`] that show it, an
//!   [`AlertSink`] for each [`Alert`], such as [`LogAlerts`].
//! - **An end instead of a standstill**: a [`Heartbeat`] of each loop, behind the probe of [`Liveness`], and [`panics`], which end the
//!   process unless they are contained.
//! - **HTTP**: a [`server`] with limits that finishes its requests when it stops.
#![warn(missing_docs)]

mod alerts;
mod fatal;
mod liveness;
pub mod panics;
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
pub use liveness::{Heartbeat, Liveness};
pub use readiness::{Check, Readiness};
pub use secret::{InvalidUrl, Secret, SecretUrl};
